"""A report on 20,000 rows of about 5 kB: time to build, size of the file, and time until a browser can use it.

    python benchmarks/report.py [--rows 20000]

The rows are made from words of the embedded sample in random order and renamed code, so that they compress no better
than real ones do. Time to interactive is from the start of navigation until the table's index is unpacked and the page
answers keys, in a headless Chromium that has not seen the file before; the median of several openings.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import datasets

import kbtools as kb
from kbtools.lineage import Lineage
from kbtools.report import page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
RESULT = ROOT / "benchmarks" / "results" / "report.json"
OPENINGS = 5
ADDRESSES = {"row": "row=12345", "search": "rows?q=softmax", "search_texts": "rows?q=tl.dot&deep=1"}
PARSED = "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


def rows_like(sample: datasets.Dataset, count: int) -> datasets.Dataset:
    """Rows in the sample's layout with reasoning and verdicts, no two alike."""
    chance = random.Random(0)
    rows: list[dict[str, Any]] = sample.to_list()
    words = sorted({word for row in rows for word in re.findall(r"\S+", row["completion"][0]["content"])})
    made = [_row(rows[n % len(rows)], n, words, chance) for n in range(count)]
    return datasets.Dataset.from_list(made)


def _row(base: dict[str, Any], n: int, words: list[str], chance: random.Random) -> dict[str, Any]:
    name = f"{base['info']['module_name']}{chance.randrange(10**6)}"
    info = {key: _renamed(value, chance) if key != "module_name" else name for key, value in base["info"].items()}
    reasoning = " ".join(chance.choices(words, k=150))
    content = _renamed(base["answer"] or info["triton_code"], chance)
    message = {"role": "assistant", "content": f"<answer>\n{content}\n</answer>", "reasoning": reasoning}
    return {
        "example_id": n,
        "prompt": [{"role": "user", "content": f"Write {name}New for\n{info['python_code']}"}],
        "completion": [message],
        "task": base["task"],
        "reward": chance.lognormvariate(0, 0.4) if chance.random() < 0.6 else 0.0,
        "info": info,
        "difficulty": chance.choice(("low", "medium", "high")),
        "style": round(chance.uniform(2, 9), 1),
        "evaluation_raw": " ".join(chance.choices(words, k=40)),
    }


def _renamed(code: str, chance: random.Random) -> str:
    """The code with every name of some length changed, each name in one way."""
    names = {name: f"{name[:3]}_{chance.randrange(10**5)}" for name in set(re.findall(r"\b[a-z]\w{4,}\b", code))}
    return re.sub(r"\b[a-z]\w{4,}\b", lambda found: names[found[0]], code)


def interactive(file: Path, profile: Path) -> dict[str, float]:
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
                browser.go(f"#{address}")
                seen[name].append(1000 * (time.perf_counter() - began))
    return {name: round(statistics.median(times)) for name, times in seen.items()}


def build(data: datasets.Dataset, file: Path, resamples: int) -> float:
    """Seconds to look at the rows and write the page."""
    began = time.perf_counter()
    page.write(page.make(data, Lineage(), page.Options("Benchmark", {}, resamples)), file)
    return round(time.perf_counter() - began, 1)


def main() -> None:
    """Build, open, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    count = parser.parse_args().rows
    data = rows_like(kb.load("sample"), count)
    raw = sum(len(json.dumps(row)) for row in data.select(range(min(count, 500)))) / min(count, 500)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        seconds = {"without intervals of correlations": build(data, file, 0), "as by default": build(data, file, 200)}
        size = file.stat().st_size
        opened = interactive(file, Path(folder) / "profile")
    result = {
        "rows": count,
        "bytes_per_row": round(raw),
        "build_seconds": seconds,
        "file_megabytes": round(size / 1e6, 1),
        "median_of_openings": OPENINGS,
        "milliseconds": opened,
    }
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
