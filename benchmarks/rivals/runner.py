"""What every `with_*` script shares: read the job, time the call alone, check the labels, write the figures.

It runs in environments that hold nothing of this project, so it imports the standard library and the server's table of
labels only. Its first line is run before the tool is imported: what lies between is told as `setup_seconds`.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rivals.server import label_of


@dataclass(frozen=True)
class Job:
    """One run: `rows` holds {row, messages} per line, `codes` the same rows as a dataset before any prompt."""

    rows: str
    codes: str
    url: str
    in_flight: int
    sampling: dict[str, Any]
    response_format: dict[str, Any]
    folder: str
    """Empty; for caches, stores and results."""

    def read_rows(self) -> list[dict[str, Any]]:
        """All rows with their rendered messages."""
        return list(self.each_row())

    def each_row(self) -> Iterator[dict[str, Any]]:
        """Row after row."""
        with Path(self.rows).open() as lines:
            yield from map(json.loads, lines)

    def body(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """What is posted for a row."""
        return {
            "model": "test-model",
            "messages": messages,
            "response_format": self.response_format,
            **self.sampling,
        }


Call = Callable[[], Iterable[tuple[int, str]]]
"""Asks for all rows and gives (row, label) for each that got one."""


def parsed(reply: str) -> str:
    """The label in a reply; every tool's replies are parsed by this, except where the tool parses itself."""
    return str(json.loads(reply)["difficulty"])


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def main(prepare: Callable[[Job], Call]) -> None:
    """Run the job in the file that is the first argument, and write its figures to the second."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    call = prepare(job)
    began, cpu = time.perf_counter(), cpu_seconds()
    right = wrong = 0
    for row, label in call():
        if label == label_of(row):
            right += 1
        else:
            wrong += 1
    seconds = time.perf_counter() - began
    times = {"seconds": seconds, "cpu_seconds": cpu_seconds() - cpu, "setup_seconds": began - STARTED}
    figures = {**{name: round(taken, 3) for name, taken in times.items()}, "kept": right, "wrong": wrong}
    Path(sys.argv[2]).write_text(json.dumps(figures))
