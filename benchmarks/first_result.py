"""From a clone to the first result: README's first command, split into clone, environment, download, install and run.

Run: python benchmarks/first_result.py [--folder DIR]

The download goes past pip's cache. The second run of the chain shows what is done only once.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from machine import write

ROOT = Path(__file__).parents[1]


def seconds(command: list[str], where: Path) -> float:
    """Wall time of a command that must succeed."""
    print("$", shlex.join(command), flush=True)
    began = time.perf_counter()
    subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - began, 1)


def chain(clone: Path) -> list[str]:
    """The kbtools command of the README's first block."""
    block = re.search(r"^```bash\n(.*?)^```", (clone / "README.md").read_text(encoding="utf-8"), re.S | re.M)
    assert block is not None
    return shlex.split(block[1].split("&&")[-1])


def measure(folder: Path) -> dict[str, float]:
    """Seconds of each part."""
    clone, wheels = folder / "kbtools", folder / "wheels"
    pip = [str(clone / ".venv/bin/pip")]
    found = {"clone_s": seconds(["git", "clone", "-q", str(ROOT), str(clone)], folder)}
    found["environment_s"] = seconds([sys.executable, "-m", "venv", ".venv"], clone)
    get = [*pip, "download", "-q", "--no-cache-dir", "-d", str(wheels), ".", "hatchling"]
    found["download_s"] = seconds(get, clone)
    found["install_s"] = seconds([*pip, "install", "-q", "--no-index", "--find-links", str(wheels), "."], clone)
    found["run_s"] = seconds(chain(clone), clone)
    found["second_run_s"] = seconds(chain(clone), clone)
    found["download_mb"] = round(sum(file.stat().st_size for file in wheels.iterdir()) / 1e6, 1)
    return found


def main() -> None:
    """Measure in a temporary folder, or one that is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    folder: Path | None = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(folder or Path(temporary))
    for name, value in figures.items():
        print(f"{name:<16}{value:>8}")
    print(write("first_result", figures))


if __name__ == "__main__":
    main()
