"""The time of the default tests at two revisions, in turns: `python benchmarks/suite_seconds.py [BEFORE] [AFTER]`.

Each revision is checked out beside this checkout, so that its tests find `../shared`, with an environment of its own
that has the packages of this one. What stands behind `--` goes to pytest; figures are written as results/suite.json.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

from house import ROOT, git
from machine import write

PROGRAMS = ("kbtools", "mypy", "pyright", "pytest", "ruff")
"""What tests start by name."""


@dataclass(frozen=True)
class Run:
    """One run of the suite."""

    revision: str
    wall_seconds: float
    processor_seconds: float
    said: str
    """The last line of pytest."""


def checked_out(revision: str) -> Path:
    """A worktree of a revision with an environment, in a new folder."""
    folder = ROOT.parent / f"suite-{revision}"
    git("worktree", "add", "--force", "--detach", str(folder), revision)
    venv.create(folder / ".venv", symlinks=True)
    (packages,) = (folder / ".venv" / "lib").glob("python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    lines = [str(folder), str(folder / "plugins"), *ours]
    (packages / "suite.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in PROGRAMS:
        if (found := shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")) is not None:
            placed(Path(found), folder / ".venv" / "bin")
    return folder


def placed(program: Path, folder: Path) -> None:
    """The program in another environment: a script of Python with that one's interpreter, anything else as a link."""
    first, _, rest = program.read_bytes().partition(b"\n")
    if not (first.startswith(b"#!") and b"python" in first):
        (folder / program.name).symlink_to(program.resolve())
        return
    (folder / program.name).write_bytes(f"#!{folder / 'python'}\n".encode() + rest)
    (folder / program.name).chmod(0o755)


def timed(folder: Path, revision: str, words: list[str]) -> Run:
    """Run the suite, and say how long it took."""
    before, begun = used(), time.monotonic()
    # Its own folder for what tests leave, so that neither run clears up behind the other.
    environment = {**os.environ, "TMPDIR": str(folder / ".venv" / "tmp")}
    Path(environment["TMPDIR"]).mkdir(exist_ok=True)
    command = [str(folder / ".venv" / "bin" / "python"), "-m", "pytest", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
    return Run(revision, round(time.monotonic() - begun, 1), round(used() - before, 1), said)


def used() -> float:
    """Processor seconds of all processes that have been started and have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def main() -> None:
    """Time both revisions in turns, print and write the figures, and remove the checkouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", nargs="?", default="81e0c90")
    parser.add_argument("after", nargs="?", default="HEAD")
    parser.add_argument("--rounds", type=int, default=2)
    own, words = sys.argv[1:], []
    if "--" in own:
        own, words = own[: own.index("--")], own[own.index("--") + 1 :]
    asked = parser.parse_args(own)
    revisions = [git("rev-parse", "--short", named).decode().strip() for named in (asked.before, asked.after)]
    folders = {revision: checked_out(revision) for revision in revisions}
    runs = []
    try:
        for _ in range(asked.rounds):
            for revision, folder in folders.items():
                runs.append(timed(folder, revision, words))
                print(runs[-1], flush=True)
    finally:
        for folder in folders.values():
            git("worktree", "remove", "--force", str(folder))
    write("suite", {"pytest": words, "runs": [asdict(run) for run in runs]})


if __name__ == "__main__":
    main()
