"""Many pairs at once: one thread per worker, each with its own warm processes; verdicts come in the order of the pairs.

What was found before is taken from the store; a pair that is in the input twice is checked once. Killing the run
loses at most the pairs in flight; killing a worker's processes costs one more attempt of its pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

from kbtools_plugins.verify.cache import VerdictStore, key_of
from kbtools_plugins.verify.check import verify
from kbtools_plugins.verify.host.pair_processes import Deadline
from kbtools_plugins.verify.host.processes import WarmPair, warm_pairs
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.verdict import Verification


@dataclass(frozen=True)
class Pair:
    """One candidate and what it is held against."""

    reference: str
    candidate: str
    entry_point: str | None = None


Watcher = Callable[[Verification], None]
Submit = Callable[[Pair, Watcher, Deadline], "Future[Verification]"]


def verify_all(pairs: Sequence[Pair], settings: VerifySettings, workers: int, store: VerdictStore | None = None,
               finished: Watcher = lambda verdict: None) -> list[Verification]:  # fmt: skip
    """The verdict of each pair; `finished` is called with each one as it is known."""
    keys = [key_of(pair.reference, pair.candidate, pair.entry_point, settings) for pair in pairs]
    known = look_up(keys, store, finished)
    missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
    if missing:
        with started(min(workers, len(missing)), settings) as submit:
            futures = {key: submit(pair, _keeper(key, store), Deadline()) for key, pair in missing.items()}
            known |= {key: _reported(future, keys.count(key), finished) for key, future in futures.items()}
    return [known[key] for key in keys]


def look_up(keys: Sequence[str], store: VerdictStore | None, finished: Watcher) -> dict[str, Verification]:
    """The verdicts that are known already, each reported as often as it is wanted."""
    known = {key: verdict for key in set(keys) if store and (verdict := store.get(key))}
    for key in keys:
        if key in known:
            finished(known[key])
    return known


def _keeper(key: str, store: VerdictStore | None) -> Watcher:
    return lambda verdict: store.put(key, verdict) if store else None


def _reported(future: Future[Verification], times: int, finished: Watcher) -> Verification:
    verdict = future.result()
    for _ in range(times):
        finished(verdict)
    return verdict


@contextmanager
def started(count: int, settings: VerifySettings) -> Iterator[Submit]:
    """So many workers with warm processes, as a function that hands a pair to whichever is idle first.

    The watcher is called with the verdict in the worker's thread, before the future has it. After the deadline nothing
    further is begun, and the future has DeadlinePassed.
    """
    idle: SimpleQueue[WarmPair] = SimpleQueue()
    processes = warm_pairs(count)
    for pair in processes:
        idle.put(pair)

    def check(pair: Pair, keep: Watcher, deadline: Deadline) -> Verification:
        warm = idle.get()
        try:
            verdict = verify(
                pair.reference,
                pair.candidate,
                entry_point=pair.entry_point,
                settings=settings,
                processes=warm,
                deadline=deadline,
            )
        finally:
            idle.put(warm)
        keep(verdict)
        return verdict

    threads = ThreadPoolExecutor(count)
    try:
        yield lambda pair, keep, deadline: threads.submit(check, pair, keep, deadline)
    finally:
        threads.shutdown(cancel_futures=True)
        _close(processes)


def _close(processes: Iterable[WarmPair]) -> None:
    for pair in processes:
        pair.close()
