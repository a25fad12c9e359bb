"""kbtools: the stage `judge`, from a loaded dataset to one with the labels, every reply in the store on disk."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

from collections.abc import Iterator
from pathlib import Path

import jinja2.sandbox  # noqa: F401 - kbtools imports these with the first call; the clocks of all clients leave imports out

import kbtools as kb
import kbtools.models.backends.http
import kbtools.pipeline.chain


def prepare(job: runner.Job) -> runner.Call:
    rows = kb.load(job.codes)
    judge = kb.ModelJudge(
        rubric="difficulty@v2",
        model=f"{job.url}#test-model",
        store=str(Path(job.folder) / "store.sqlite"),
        max_in_flight=job.in_flight,
    )

    def call() -> Iterator[tuple[int, str]]:
        judged = kb.apply(rows, judge)
        for batch in judged.select_columns(["row", "difficulty"]).iter(10_000):
            yield from zip(batch["row"], batch["difficulty"], strict=True)

    return call


if __name__ == "__main__":
    runner.main(prepare)
