"""Draws docs/table.svg: the table that the README's first command ends with, from a real run on the sample."""

from __future__ import annotations

import io
import re
from pathlib import Path

import datasets
from rich import box
from rich.console import Console

import kbtools as kb
from kbtools.cli.ui.display import summary_table
from kbtools.pipeline import run


def main() -> None:
    """Run the chain of the README and save the picture beside this file."""
    datasets.disable_progress_bars()
    stages = [
        kb.Filter(where="reward > 0.85"),
        kb.Judge(judge="static"),
        kb.Dedup(),
        kb.StripReasoning(),
        kb.Split(),
    ]
    console = Console(record=True, width=112, file=io.StringIO())
    table = summary_table(run(kb.load("sample"), stages).records)
    table.box = box.SIMPLE_HEAD  # upright lines of a picture are broken between its rows
    console.print(table)
    picture = console.export_svg(title="kbtools apply ... --dataset sample")
    alone = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # the fonts would come from the network
    Path(__file__).with_name("table.svg").write_text(alone)


if __name__ == "__main__":
    main()
