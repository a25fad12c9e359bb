"""The entrance of the engine: run planned requests, or only count the calls that this would take.

A stage plans requests, calls `run_requests`, and then replays the replies from the store. The work runs in a thread
of its own, so it does not matter whether the caller's thread has a running event loop, and Ctrl-C reaches the caller
at once.
"""

from __future__ import annotations

import gc
import resource
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import length_hint

from kbtools.calls import Distinct
from kbtools.errors import UsageError, rebuilt
from kbtools.models.backend import ChunkBackend, ModelBackend, OnlineBackend, Review, Waiting
from kbtools.models.engine.driver import Driver, RunInputs
from kbtools.models.engine.lookup import Lookup
from kbtools.models.engine.offline import ChunkDriver
from kbtools.models.engine.online import CHUNK, Scheduler
from kbtools.models.engine.progress import Progress, ProgressSink
from kbtools.models.options import Options
from kbtools.models.request import Request, estimated_prompt_tokens
from kbtools.models.store import ResponseStore, chunks
from kbtools.wording import counted

TICK = 0.25
SPARE_FILES = 128
GRACE = 10.0
NEW_OBJECTS = 20_000
"""After so many more the garbage collector looks at the young ones: a thousand calls under way hold as many."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a run of requests; all that arrived is stored, and the same call goes on from there."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        super().__init__(
            f"interrupted with {counted(progress.done, 'reply', 'replies')} in the store, "
            f"{counted(progress.sent, 'call')} made in this run; "
            "run the same command again to go on from there"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the message and the counters, not from the message alone."""
        return rebuilt, (type(self), self.args, self.__dict__)


def run_requests(
    requests: Iterable[Request],
    backend: ModelBackend,
    store: ResponseStore,
    options: Options | None = None,
    progress: ProgressSink | None = None,
    *,
    review: Review | None = None,
    total: int | None = None,
    seen: Distinct | None = None,
) -> Progress:
    """Bring every request to a stored reply or a stored failure, sending only what the store lacks.

    `requests` is read lazily, in a thread. `progress` is called in the caller's thread four times a second and at
    the end; `total` is for its ETA. `review` judges each reply, see `backend.Review`. A request that is in `seen`
    has been settled by an earlier call of the same run.

    Returns the final counters; rows that failed are counted there and stored, they raise nothing.
    Raises ConfigError (credentials, nobody there), BudgetReached, StoreError, Interrupted, and what
    `requests` raises; in each case only after the calls under way are in and stored.
    """
    options = options or Options()
    counters = Progress(total if total is not None else length_hint(requests, 0) or None)
    counters.booked = options.already
    driver = _driver(backend, RunInputs(store, options, counters, review, seen or Distinct()))
    counters.model = backend.model
    with _old_objects_aside():
        _run(driver, requests, counters, _telling(progress, backend))
    if driver.problem is not None:
        raise driver.problem
    return counters


@dataclass(slots=True)
class RequestPlan:
    """What running these requests would do now. Tokens are estimated as `request.estimated_prompt_tokens` says."""

    requests: int = 0
    duplicates: int = 0
    stored: int = 0
    failed: int = 0
    """Stored failures that would not be repeated."""
    repeated: int = 0
    """Stored failures that would be sent again; part of `to_send`."""
    to_send: int = 0
    """Calls, if none has to be retried or repaired."""
    prompt_tokens: int = 0
    """Of the requests to send."""
    most_completion_tokens: int | None = 0
    """Sum of max_tokens over the requests to send; None if one of them has none."""
    cost: float | None = None
    """Of the prompts alone, plus `most_completion_tokens` if known; None without prices."""
    may_follow: int = 0
    """Most calls that can follow from the replies, where a conversation goes on; their prompts are not known yet."""
    first: Request | None = None
    """The first request, sent or not, to be shown in full."""


def plan_requests(
    requests: Iterable[Request],
    backend: ModelBackend,
    store: ResponseStore,
    options: Options | None = None,
    *,
    review: Review | None = None,
    seen: Distinct | None = None,
) -> RequestPlan:
    """What `run_requests` with these arguments would do, without a call."""
    options = options or Options()
    lookup = Lookup(store, backend.endpoint, review, options.repeat_failures, time.time())
    result = RequestPlan()
    seen = seen or Distinct()
    for chunk in chunks(requests, CHUNK):
        result.first = result.first or chunk[0]
        result.requests += len(chunk)
        fresh = seen.new(chunk)
        result.duplicates += len(chunk) - len(fresh)
        _add(result, lookup, fresh)
    if options.prices is not None:
        result.cost = options.prices.of(result.prompt_tokens, result.most_completion_tokens or 0)
    return result


def _add(result: RequestPlan, lookup: Lookup, requests: list[Request]) -> None:
    """Count requests, and the follow-ups that stored replies already call for."""
    while requests:
        by_key = {request.key: request for request in requests}
        known = lookup.classify(requests)
        result.stored += known.stored
        result.failed += len(known.failed)
        result.to_send += len(known.wanted)
        result.repeated += sum(stored is not None for stored in known.wanted.values())
        for key in known.wanted:
            _add_tokens(result, by_key[key])
        requests = known.follow_ups


def _add_tokens(result: RequestPlan, request: Request) -> None:
    result.prompt_tokens += estimated_prompt_tokens(request)
    bound = request.sampling.max_tokens
    so_far = result.most_completion_tokens
    result.most_completion_tokens = None if bound is None or so_far is None else so_far + bound


@contextmanager
def _old_objects_aside() -> Iterator[None]:
    """Keep the garbage collector from searching all libraries again and again, which costs a tenth of a call."""
    if gc.get_freeze_count():  # by somebody else, who knows when it ends
        yield
        return
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], NEW_OBJECTS), *before[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def _telling(sink: ProgressSink | None, backend: ModelBackend) -> ProgressSink | None:
    """The sink, which gets to know besides what the backend waits for."""
    if sink is None or not isinstance(backend, Waiting):
        return sink

    def tell(counters: Progress) -> None:
        counters.waiting_for = backend.waiting_for()
        sink(counters)

    return tell


def _driver(backend: ModelBackend, given: RunInputs) -> Driver:
    if isinstance(backend, OnlineBackend):
        _allow_open_files(given.options.max_in_flight + SPARE_FILES)
        return Scheduler(backend, given)
    if isinstance(backend, ChunkBackend):
        return ChunkDriver(backend, given)
    raise UsageError(
        f"{type(backend).__name__} is not a model backend: it has neither connect() nor complete(); "
        "see kbtools.models.backend"
    )


def _run(driver: Driver, requests: Iterable[Request], counters: Progress, sink: ProgressSink | None) -> None:
    """Run the driver in its thread; the first Ctrl-C drains it, the second stops it."""
    defect: list[BaseException] = []
    finished = threading.Event()

    def work() -> None:
        try:
            driver.run(requests)
        except BaseException as error:  # noqa: BLE001 - a defect, raised in the caller's thread
            defect.append(error)
        finally:
            finished.set()

    threading.Thread(target=work, name="kbtools-engine", daemon=True).start()
    interrupted = False
    try:
        _watch(finished, counters, sink)
    except KeyboardInterrupt:
        interrupted = counters.draining = True
        driver.drain()
        _drain(driver, finished, counters, sink)
    except BaseException:
        driver.stop()
        finished.wait(GRACE)
        raise
    if defect:
        raise defect[0]
    if interrupted:
        raise Interrupted(counters)


def _drain(driver: Driver, finished: threading.Event, counters: Progress, sink: ProgressSink | None) -> None:
    """Wait for the calls under way; a further Ctrl-C gives them up, and does not wait for a local engine."""
    try:
        _watch(finished, counters, sink)
    except KeyboardInterrupt:
        driver.stop()
        finished.wait(GRACE)


def _watch(finished: threading.Event, counters: Progress, sink: ProgressSink | None) -> None:
    over = False
    while not over:
        over = finished.wait(TICK)
        counters.tick()
        if sink is not None:
            sink(counters)


def _allow_open_files(needed: int) -> None:
    """Raise the soft limit of open files if the calls in flight need it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"{counted(needed - SPARE_FILES, 'call')} in flight need about {counted(needed, 'open file')}, this "
            f"process may have {hard}: "
            "raise `ulimit -n` or lower the number in flight"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
