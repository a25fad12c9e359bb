"""Asking and checking in turn until no dialogue goes on: the only part of the loop that costs anything.

Each round replays what is stored, asks what is missing, and checks the answers that nobody has assessed. Killed
anywhere, the next run begins with what is stored and repeats at most the calls and checks that were under way.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from kbtools.data.table import on_counts, on_rows
from kbtools.feedback import Attempt
from kbtools.llm import RowInputs, on_calls
from kbtools.models.backend import ModelBackend
from kbtools.models.contract import Accepting
from kbtools.models.engine.run import Interrupted, run_requests
from kbtools.models.options import Options, Spend
from kbtools.models.request import Request
from kbtools.models.store import chunks
from kbtools_plugins.synthesize.dialogue import Dialogue, Status
from kbtools_plugins.synthesize.replaying import Replaying

CHECKED_TOGETHER = 1_000


class Rounds:
    """One run over the rows of a dataset."""

    def __init__(
        self, replaying: Replaying, rows: Callable[[], Iterable[RowInputs]], backend: ModelBackend, options: Options
    ) -> None:
        self._replaying = replace(replaying, since=time.time())
        self._rows = rows
        self._backend = backend
        self._options = options
        self._tried: set[int] = set()
        """Attempts whose check failed itself in this run."""
        self._verdicts: Counter[str] = Counter()
        self._replies = self._sent = 0

    def run(self, spent: Spend) -> Spend:
        """Until nothing is missing that can be had; returns `spent` with what this took off the budget."""
        while True:
            requests = self._pending()
            first = next(requests, None)
            if first is not None:
                spent = self._ask(chain([first], requests), replace(self._options, already=spent))
            if not self._check() and first is None:
                return spent

    def _ask(self, calls: Iterable[Request], options: Options) -> Spend:
        """One round of calls; returns what the run has spent by then. Ctrl-C tells of all rounds of the run."""
        try:
            store = self._replaying.store
            done = run_requests(calls, self._backend, store, options, on_calls.get(), review=Accepting())
        except Interrupted as stopped:
            last = stopped.progress
            raise Interrupted(replace(last, done=self._replies + last.done, sent=self._sent + last.sent)) from None
        self._replies += done.done
        self._sent += done.sent
        return done.booked

    def _pending(self) -> Iterator[Request]:
        return pending(self._dialogues())

    def _dialogues(self) -> Iterator[Dialogue]:
        return self._replaying.dialogues(self._rows())

    def _check(self) -> bool:
        """Assess the answers that wait for it; whether there were any."""
        checked = False
        for some in chunks(self._unchecked(), CHECKED_TOGETHER):
            checked, attempts = True, dict(some)
            silent = on_rows.set(lambda rows: None), on_counts.set(lambda counts: None)
            try:
                for attempt, found in zip(attempts, self._replaying.assessments.make(attempts), strict=True):
                    self._verdicts[found.verdict if found else "not checked"] += 1
                    if found is None:
                        self._tried.add(hash(attempt))
            finally:
                on_rows.reset(silent[0])
                on_counts.reset(silent[1])
            on_counts.get()(dict(self._verdicts.most_common()))
        return checked

    def _unchecked(self) -> Iterator[tuple[Attempt, str]]:
        """Each attempt that waits for its assessment, once, and the key of its reply."""
        seen = set(self._tried)
        for dialogue in self._dialogues():
            if dialogue.status is not Status.UNCHECKED or dialogue.request is None:
                continue
            attempt = dialogue.turns[-1].attempt
            if hash(attempt) not in seen:
                seen.add(hash(attempt))
                yield attempt, dialogue.request.key


def pending(dialogues: Iterable[Dialogue]) -> Iterator[Request]:
    """The requests that the dialogues wait for."""
    for dialogue in dialogues:
        if dialogue.status is Status.UNANSWERED and dialogue.fault is None and dialogue.request is not None:
            yield dialogue.request
