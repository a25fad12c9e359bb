"""The table of README from a file of results of `models_throughput`: rows a second, and the share of raw aiohttp.

python -m benchmarks.models_table [NAME]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.machine import RESULTS

BASELINE = "aiohttp"
TITLES = {
    "aiohttp": ("raw aiohttp", ""),
    "kbtools": ("kbtools", ""),
    "before": ("before", ""),
    "pycurl": ("pycurl", ""),
    "httptools": ("httptools", "httptools"),
    "openai": ("openai SDK", ""),
    "curator": ("curator", "bespokelabs-curator"),
    "data_designer": ("Data Designer", "data-designer"),
    "distilabel": ("distilabel", "distilabel"),
}
"""What a client is called, and the distribution whose version is told; in the order of the columns."""


def table(results: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the table; cells of clients that did not run or did not get through are empty."""
    found = results["throughput"]
    clients = [name for name in TITLES if any(name in row["rows_per_second"] for row in found)]
    heads = [_title(name, results["rivals"]) for name in clients]
    yield f"| rows, in flight | {' | '.join(heads)} |"
    yield "|---" * (len(clients) + 1) + "|"
    for row in found:
        cells = [_cell(name, row["rows_per_second"]) for name in clients]
        yield f"| {row['rows']:,}, {row['in_flight']:,} | {' | '.join(cells)} |"


def _title(client: str, rivals: Mapping[str, Mapping[str, str]]) -> str:
    title, distribution = TITLES[client]
    return f"{title} {rivals.get(client, {}).get(distribution, '')}".strip()


def _cell(client: str, rates: Mapping[str, float]) -> str:
    if client not in rates:
        return ""
    share = f" ({rates[client] / rates[BASELINE]:.2f})" if BASELINE in rates and client != BASELINE else ""
    return f"{rates[client]:,.0f}{share}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="models_throughput", help="of the file of results")
    results = json.loads((RESULTS / f"{parser.parse_args().name}.json").read_text())
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
