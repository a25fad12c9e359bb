"""Chains of row-wise and dataset-wide stages under one engine: their rows as files, and what was recorded of them.

Run as a program, `python -m tests.engines.chains ENGINE SCRATCH FOLDER`, with `none` for no engine.
"""

from __future__ import annotations

import sys
from pathlib import Path

import kbtools as kb
from kbtools import engines
from kbtools.pipeline import run

STATIC = kb.Judge(judge="static")
CHAINS: dict[str, tuple[kb.Stage, ...]] = {
    "select": (STATIC, kb.Select(best=2), kb.ExplodeTurns()),
    "pass-rate": (STATIC, kb.PassRate(), kb.StripReasoning(on_error="drop")),
    "to-preferences": (kb.Filter(where="reward >= 0"), STATIC, kb.ToPreferences()),
    "to-repair": (kb.StripReasoning(on_error="drop"), kb.ToRepair()),
    "explode-turns": (kb.ExplodeTurns(), kb.Dedup(key=("code",))),
    "decontaminate": (STATIC, kb.Decontaminate(against=("problems.parquet",), action="mark"), kb.ToMessages()),
    "splits": (STATIC, kb.Split(), kb.Sample(per_group=1), kb.ToMessages()),
}


def main(engine: str, scratch: str, folder: str) -> None:
    """Save the rows of every chain as NAME.parquet, and its record as NAME.txt."""
    sample = kb.load("sample")
    if not Path("problems.parquet").exists():
        kb.save(sample.select(range(0, 60, 7)), "problems.parquet")
    with engines.opened(None if engine == "none" else engines.parse(engine, scratch, 3), lambda text: None):
        for name, chain in CHAINS.items():
            done = run(sample, chain)
            kb.save(done.dataset, Path(folder, f"{name}.parquet"))
            records = [record.model_copy(update={"seconds": None}).model_dump_json() for record in done.records]
            left_out = [(stage, drop.reason, drop.rows.to_list()) for stage, drop in done.dropped]
            Path(folder, f"{name}.txt").write_text("\n".join([*records, repr(left_out)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
