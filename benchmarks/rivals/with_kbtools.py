"""kbtools: the stage `judge`, from a loaded dataset to one with the labels, every reply in the store on disk."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

from collections.abc import Iterator
from pathlib import Path

import kbtools as kb


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
