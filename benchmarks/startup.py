"""Start-up: `kbtools --help` beside importing click, `apply filter` on the sample beside importing datasets and click,
and the time until `kbtools apply` works on its first stage.

Run: python benchmarks/startup.py [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from machine import write

MAIN = "import sys; from kbtools.cli import main; main(sys.argv[1:])"
HELP = [sys.executable, "-c", MAIN, "--help"]
CLICK = [sys.executable, "-c", "import click"]
DATASETS = [sys.executable, "-c", "import datasets, click"]
FILTER = ["apply", "filter", "--where", "reward > 0.85", "--dataset", "sample", "--overwrite", "--out"]
CHAIN = ["apply", "filter", "--where", "reward > 0.85", "dedup", "--dataset", "sample", "--out"]


def seconds(command: list[str]) -> float:
    """Wall time of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def until_work(out: Path) -> float:
    """Seconds from the start of the process to the line that says that the first stage has begun."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *CHAIN, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[1/"):
            took = time.perf_counter() - began
            break
    else:
        raise RuntimeError("the chain never began")
    process.communicate()
    return took


def main() -> None:
    """Interleave the commands, print medians, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    runs: int = parser.parse_args().runs
    out = Path("outputs") / "startup.parquet"
    pairs = [(seconds(HELP), seconds(CLICK)) for _ in range(runs)]
    whole = [sys.executable, "-c", MAIN, *FILTER, str(out)]
    runs_of_filter = [(seconds(whole), seconds(DATASETS)) for _ in range(runs)]
    starts = [until_work(out) for _ in range(runs)]
    figures = {
        "help_s": statistics.median(pair[0] for pair in pairs),
        "import_click_s": statistics.median(pair[1] for pair in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "apply_filter_s": statistics.median(pair[0] for pair in runs_of_filter),
        "import_datasets_click_s": statistics.median(pair[1] for pair in runs_of_filter),
        "apply_filter_ratio": statistics.median(a / b for a, b in runs_of_filter),
        "apply_starts_work_s": statistics.median(starts),
    }
    for name, value in figures.items():
        print(f"{name:22}{value:8.3f}")
    print(f"wrote {write('startup', {'runs': runs, **figures})}")


if __name__ == "__main__":
    main()
