"""A report on 20,000 rows of about 7 kB, and of about 18 kB with reasoning: build, size, time until it can be used.

    python benchmarks/report.py [--rows 20000]

`report_rows` says how the rows are made. Time to interactive is from the start of navigation until the table's index is
unpacked and the page answers keys, in a headless Chromium that has not seen the file before; the median of several
openings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import datasets

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.machine import write  # a script's folder is on the path, the folder above it is not
from benchmarks.report_rows import rows
from kbtools.lineage import Lineage
from kbtools.report import page

OPENINGS = 5
ADDRESSES = {"row": "row={middle}", "search": "rows?q=conv", "search_texts": "rows?q=tl.where&deep=1"}
PARSED = "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
KINDS = {"as KernelBook": 0, "rollouts with reasoning": 9_000}
"""Median characters of the reasoning."""


def interactive(file: Path, profile: Path, middle: int) -> dict[str, float]:
    """Median milliseconds until the page is ready, until a row is shown, and of searching the columns and all texts."""
    from tests.report.browser import chromium

    seen: dict[str, list[float]] = {name: [] for name in ("ready", "whole_page", *ADDRESSES)}
    with chromium(profile) as browser:
        for _ in range(OPENINGS):
            browser.open(file)
            seen["ready"].append(float(browser.js("return document.documentElement.dataset.ready")))
            seen["whole_page"].append(float(browser.until(lambda: browser.js(PARSED))))
            for name, address in ADDRESSES.items():
                began = time.perf_counter()
                browser.go(f"#{address.format(middle=middle)}")
                seen[name].append(1000 * (time.perf_counter() - began))
    return {name: round(statistics.median(times)) for name, times in seen.items()}


def build(data: datasets.Dataset, file: Path, resamples: int) -> float:
    """Seconds to look at the rows and write the page."""
    began = time.perf_counter()
    page.write(page.make(data, Lineage(), page.ReportOptions("Benchmark", {}, resamples)), file)
    return round(time.perf_counter() - began, 1)


def measure(count: int, reasoning: int, folder: Path) -> dict[str, Any]:
    """One kind of rows."""
    data = datasets.Dataset.from_list(list(rows(count, reasoning)))
    raw = sum(len(json.dumps(row)) for row in data.select(range(min(count, 500)))) / min(count, 500)
    file = folder / "report.html"
    seconds = {"without intervals of correlations": build(data, file, 0), "as by default": build(data, file, 200)}
    return {
        "rows": count,
        "bytes_per_row": round(raw),
        "build_seconds": seconds,
        "file_megabytes": round(file.stat().st_size / 1e6, 1),
        "median_of_openings": OPENINGS,
        "milliseconds": interactive(file, folder / "profile", count // 2),
    }


def main() -> None:
    """Build, open, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    count = parser.parse_args().rows
    found = {}
    for kind, reasoning in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            found[kind] = measure(count, reasoning, Path(folder))
        print(kind, json.dumps(found[kind], indent=1), flush=True)
    write("report", found)


if __name__ == "__main__":
    main()
