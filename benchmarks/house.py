"""The shape of the code at two revisions: `python benchmarks/house.py [BEFORE] [AFTER]` prints a table and writes JSON.

Counted are the modules of `kbtools` and `plugins`, and the words of `docs/*.md` and the README. Branches are counted by
ruff (C901); `Any` wherever it is written, imports aside.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "house.json"
SOURCES = ("kbtools", "plugins")
MOST_BRANCHES = 10
_ANY = re.compile(r"\bAny\b")


@dataclass(frozen=True)
class Shape:
    """What is counted at one revision."""

    revision: str
    modules: int
    lines: int
    files_per_folder: dict[str, int]
    """Modules of the fullest folders."""
    modules_over_300_lines: list[str]
    functions_over_ten_branches: int
    any_per_thousand_lines: float
    words_in_docs: int


def shape(revision: str) -> Shape:
    """Count everything in the files of a revision."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checked_out(revision, folder)
        files = sorted(file for part in SOURCES for file in (folder / part).rglob("*.py"))
        texts = {file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in files}
        lines = {path: text.count("\n") for path, text in texts.items()}
        per_folder = Counter(Path(path).parent.as_posix() for path in texts)
        pages = [*sorted((folder / "docs").glob("*.md")), folder / "README.md"]
        return Shape(
            revision=git("rev-parse", "--short", revision).decode().strip(),
            modules=len(texts),
            lines=sum(lines.values()),
            files_per_folder=dict(per_folder.most_common(8)),
            modules_over_300_lines=[path for path, count in lines.items() if count > 300],
            functions_over_ten_branches=branching(folder),
            any_per_thousand_lines=round(1000 * sum(map(anys, texts.values())) / sum(lines.values()), 1),
            words_in_docs=sum(len(page.read_text(encoding="utf-8").split()) for page in pages),
        )


def git(*words: str) -> bytes:
    """What git prints."""
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=True).stdout


def checked_out(revision: str, folder: Path) -> None:
    """Put the files of a revision into a folder."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", revision, *SOURCES, "docs", "README.md"))) as archive:
        archive.extractall(folder, filter="data")


def anys(text: str) -> int:
    """How often a module writes `Any`, imports aside."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith(("from typing import", "import ")))
    return sum(len(_ANY.findall(line)) for line in lines)


def branching(folder: Path) -> int:
    """Functions with more branches than ten."""
    limit = f"lint.mccabe.max-complexity = {MOST_BRANCHES}"
    options = ["--isolated", "--no-cache", "--select", "C901", "--config", limit, "--output-format", "json"]
    command = [sys.executable, "-m", "ruff", "check", *options, *(str(folder / part) for part in SOURCES)]
    return len(json.loads(subprocess.run(command, capture_output=True, check=False).stdout))


def main() -> None:
    """Print the table of both revisions, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", nargs="?", default="81e0c90")
    parser.add_argument("after", nargs="?", default="HEAD")
    asked = parser.parse_args()
    before, after = (asdict(shape(revision)) for revision in (asked.before, asked.after))
    for name in before:
        print(f"{name.replace('_', ' ')}\n    {before[name]}\n    {after[name]}")
    RESULT.write_text(json.dumps([before, after], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
