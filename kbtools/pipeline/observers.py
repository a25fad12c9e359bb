"""Watching a run: what an observer is told, and how the stages' own reports reach it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from kbtools.calls import on_calls
from kbtools.data.table import on_counts, on_message, on_rows, rows_text
from kbtools.lineage import StageRecord
from kbtools.spelling import as_python
from kbtools.stage import Stage

if TYPE_CHECKING:
    from kbtools.models.engine.progress import Progress

logger = logging.getLogger("kbtools")
SECONDS_UNTIL_SEEN = 0.5


class Observer(Protocol):
    """Someone who watches a run: the command line draws progress from these calls."""

    def say(self, text: str) -> None:
        """A message for people, before the first stage begins."""

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A stage begins on this many rows."""

    def advanced(self, rows: int) -> None:
        """The stage has worked through so many more rows."""

    def counted(self, counts: Mapping[str, int]) -> None:
        """How the stage's rows have turned out so far, where it tells."""

    def called(self, progress: Progress) -> None:
        """The counters of running model calls, several times a second."""

    def finished(self, record: StageRecord) -> None:
        """The stage is done."""


class ProgressBars:
    """How a run looks from Python: one bar for each stage, and in the log what people have to know.

    The bars are those of `datasets`: `datasets.disable_progress_bars()` turns them off. Notes and failed rows are
    warnings of the logger `kbtools`; dropped rows, of which the lineage keeps account, are information.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._counts_calls = False
        self._stages: list[type[Stage]] = []

    def say(self, text: str) -> None:
        """A message for people is information."""
        logger.info(as_python(text))

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A new bar, which appears only when the stage takes its time."""
        from tqdm.auto import tqdm

        self._counts_calls = False
        self._stages = [type(stage)]
        self._bar = tqdm(
            total=rows, desc=stage.name, unit=" rows", delay=SECONDS_UNTIL_SEEN, disable=not _bars_wanted()
        )

    def advanced(self, rows: int) -> None:
        """Move the bar, unless it counts calls."""
        if not self._counts_calls:
            self._bar.update(rows)

    def counted(self, counts: Mapping[str, int]) -> None:
        """Behind the bar."""
        self._bar.set_postfix(counts, refresh=False)

    def called(self, progress: Progress) -> None:
        """The bar counts requests, where a stage asks a model."""
        self._counts_calls = True
        self._bar.total = None if progress.total is None else progress.total + progress.follow_ups
        self._bar.n, self._bar.unit = progress.finished, " requests"
        self._bar.refresh()

    def finished(self, record: StageRecord) -> None:
        """Close the bar, and log what came of the stage."""
        self.close()
        both = record.failed_and_dropped()
        for reason, rows in record.dropped.items():
            if reason not in both:
                logger.info("%s dropped %s: %s", record.stage, rows_text(rows), reason)
        for kind, rows in record.failed.items():
            fate = "failed and dropped" if kind in both else "failed"
            logger.warning("%s: %s %s: %s", record.stage, rows_text(rows), fate, kind)
        for note in record.notes:
            logger.warning("%s: %s", record.stage, as_python(note, self._stages))

    def close(self) -> None:
        """Leave the terminal as it should be, after an error too."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _bars_wanted() -> bool:
    import datasets

    return not datasets.are_progress_bars_disabled()


@contextmanager
def reporting(watcher: Observer, rows: int) -> Iterator[None]:
    """What a stage on so many rows reports reaches the observer; the bars of every single `map` are not drawn.

    A stage may read its rows several times. The observer is told of each row once.
    """
    left = rows

    def advanced(count: int) -> None:
        nonlocal left
        told = min(count, left)
        left -= told
        if told:
            watcher.advanced(told)

    tokens = on_rows.set(advanced), on_calls.set(watcher.called), on_counts.set(watcher.counted)
    saying = on_message.set(watcher.say)
    try:
        with _no_bars_of_datasets():
            yield
    finally:
        on_rows.reset(tokens[0])
        on_calls.reset(tokens[1])
        on_counts.reset(tokens[2])
        on_message.reset(saying)


@contextmanager
def _no_bars_of_datasets() -> Iterator[None]:
    import datasets

    wanted = _bars_wanted()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if wanted:
            datasets.enable_progress_bars()
