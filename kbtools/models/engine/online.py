"""The online driver: requests run concurrently, in completion order, and every reply is on disk before it counts.

Each request is a job, a coroutine that brings it to its answer, and stays open within a bounded window until its reply
is committed. What has to be sent is decided in `lookup`; how a request gets its answer is in `attempts`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from kbtools.errors import KbError
from kbtools.models.backend import OnlineBackend
from kbtools.models.engine.accounting import CircuitBreaker, count_reply
from kbtools.models.engine.attempts import Attempts, CallRunner
from kbtools.models.engine.driver import Driver, RunInputs
from kbtools.models.engine.lookup import Classified, count_known
from kbtools.models.reply import Reply
from kbtools.models.request import Request
from kbtools.models.store import claims
from kbtools.models.store.commit import GroupCommit

CHUNK = 256
"""Most requests that are rendered, looked up and claimed together."""
LEAST = 64
"""As many are at least; else as many as may be in flight: each chunk has its threads woken and its statements."""
POLL = 0.25
"""Seconds between looks at requests that another process is sending."""
MOST_PARKED = 4096


@dataclass(frozen=True, slots=True)
class _Taken:
    """Requests of one look at the plan."""

    taken: int
    by_key: Mapping[str, Request]
    known: Classified


class Scheduler(Driver):
    """One run against an online backend."""

    def __init__(self, backend: OnlineBackend, given: RunInputs) -> None:
        super().__init__(backend, given)
        self._backend = backend
        self._breaker = CircuitBreaker(backend.endpoint)
        self._draining = False
        self._jobs: set[asyncio.Task[bool]] = set()
        self._ready: deque[Request] = deque()
        """Claimed requests that wait for a place."""
        self._open = 0
        """Requests that are ready, jobs that run, and replies that wait for their commit."""
        self._fewer = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ahead: asyncio.Task[_Taken] | None = None
        """The next requests of the plan, which a thread renders while those before them are admitted."""

    def run(self, requests: Iterable[Request]) -> None:
        """Fulfil on a new event loop in the calling thread; `problem` says what ended it early."""
        with suppress(asyncio.CancelledError):  # by a drain while the backend was still starting
            asyncio.run(self._main(iter(requests)))

    def drain(self) -> None:
        """Make no further call, and finish when the calls under way are in. Callable from any thread."""
        self._draining = True
        self._from_outside(self._wind_down)

    def stop(self) -> None:
        """Give up the calls under way; replies that are in are still committed. Callable from any thread."""
        self.drain()
        self._from_outside(self._cancel)

    def _from_outside(self, action: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop has just closed: nothing is left to end
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action)

    def _wind_down(self) -> None:
        self._drain_now()
        if self._opening is not None:
            self._opening.cancel()

    def _cancel(self) -> None:
        for job in self._jobs:
            job.cancel()

    async def _main(self, requests: Iterator[Request]) -> None:
        self._calls = CallRunner(self._options, self._progress, self._end)
        self._calls.gate.on_room = self._launch
        self._opening = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        commit = GroupCommit(self._store, self._calls.most_unkept)
        async with commit as self._commit, self._backend.connect() as self._calls.send:
            self._opening = None
            keeping = asyncio.create_task(self._keep_claims())
            try:
                await self._feed(requests)
            except Exception as error:  # noqa: BLE001 - run_requests raises it, after what is under way is in
                await self._join_rendering(error)
                self._end(error)
            await self._fewer_open_than(1)
            keeping.cancel()
            with suppress(KbError):  # a store that fails now has failed before and is reported
                await self._commit.submit(partial(claims.release_all, owner=self._owner))

    async def _feed(self, source: Iterator[Request]) -> None:
        parked: list[Request] = []
        looked = time.monotonic()
        exhausted = False
        while not self._draining and (parked or not exhausted):
            self._ahead = self._ahead or self._render(source, exhausted, parked)
            if self._ahead is None:
                await self._calls.sleepers.sleep(POLL)
            else:
                found = await self._ahead
                exhausted = not found.taken
                self._ahead = self._render(source, exhausted, parked)
                parked += await self._admit(found)
            if parked and time.monotonic() - looked >= POLL:
                again, parked, looked = parked, [], time.monotonic()
                parked += await self._admit(await asyncio.to_thread(self._looked_up, again))
            await self._fewer_open_than(2 * self._options.max_in_flight)
        if self._ahead is not None:
            await self._ahead

    async def _join_rendering(self, first: Exception) -> None:
        """Wait for the requests that are being rendered while something else fails; what they raise goes with it."""
        if self._ahead is not None:
            (second,) = await asyncio.gather(self._ahead, return_exceptions=True)
            if isinstance(second, BaseException) and second is not first:
                first.add_note(f"Rendering the next requests failed, too: {second!r}")

    def _render(self, source: Iterator[Request], exhausted: bool, parked: list[Request]) -> asyncio.Task[_Taken] | None:
        """Begin to take the next requests, in a thread: rendering prompts must not hold up the calls under way."""
        if exhausted or len(parked) >= MOST_PARKED:
            return None
        size = min(CHUNK, max(LEAST, self._options.max_in_flight))
        return asyncio.create_task(asyncio.to_thread(self._next, source, size))

    def _next(self, source: Iterator[Request], size: int) -> _Taken:
        """The next requests of the plan, and what is known of those that are new."""
        taken, fresh = self._take(source, size)
        return self._looked_up(fresh, taken)

    def _looked_up(self, requests: list[Request], taken: int = 0) -> _Taken:
        by_key = {request.key: request for request in requests}
        return _Taken(taken, by_key, self._lookup.classify(requests))

    async def _admit(self, found: _Taken) -> list[Request]:
        """Start jobs for what is to be sent, and return the requests that another process is sending."""
        count_known(self._progress, found.known)
        for follow_up in found.known.follow_ups:
            self._start(self._follow(follow_up))
        granted = await self._claim(found.known.wanted)
        self._ready += [found.by_key[key] for key in found.known.wanted if key in granted]
        self._open += len(granted)
        if self._draining:
            self._drop_ready()
        self._launch()
        return [found.by_key[key] for key in found.known.wanted if key not in granted]

    async def _claim(self, wanted: dict[str, float | None]) -> set[str]:
        if not wanted:
            return set()
        return await self._commit.submit(partial(claims.claim, owner=self._owner, seen=wanted))

    def _launch(self) -> None:
        """Start as many of the requests that are ready as there are places."""
        while self._ready and self._calls.enter():
            self._run(self._work(self._ready.popleft()))

    async def _work(self, request: Request) -> bool:
        """Settle a request that has a place, then what is ready: a task for each would cost turns of the loop."""
        while True:
            if not await self._settle(request, placed=True):
                self._closed()
            if not self._ready or not self._calls.enter():
                return True
            request = self._ready.popleft()

    def _drop_ready(self) -> None:
        """Give up the claims on requests for which no call was made."""
        keys = [request.key for request in self._ready]
        self._ready.clear()
        if keys:
            self._open -= len(keys)
            self._fewer.set()
            self._commit.submit(partial(claims.release, keys=keys, owner=self._owner))

    def _start(self, job: Coroutine[None, None, bool]) -> None:
        self._open += 1
        self._run(job)

    def _run(self, job: Coroutine[None, None, bool]) -> None:
        """Run a job that says whether what it has open is closed elsewhere, such as by the commit of a reply."""
        task = asyncio.create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[bool]) -> None:
        self._jobs.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._end(error)
        if task.cancelled() or error is not None or not task.result():
            self._closed()

    def _closed(self) -> None:
        self._open -= 1
        self._fewer.set()

    async def _fewer_open_than(self, number: int) -> None:
        """Wait until fewer jobs than this have no committed reply."""
        while self._open >= number:
            self._fewer.clear()
            await self._fewer.wait()

    async def _settle(self, request: Request, placed: bool = False) -> bool:
        """Bring a claimed request to its final answer and hand that over to be committed."""
        attempts = await self._calls.ask(request, placed)
        if attempts is None:
            self._commit.submit(partial(claims.release, keys=[request.key], owner=self._owner))
            return False
        reply = self._calls.reply(attempts, self._backend)
        self._commit.put(reply, partial(self._kept, attempts, reply))
        return True

    def _kept(self, attempts: Attempts, reply: Reply, error: Exception | None) -> None:
        """Count a reply now that it is committed, and go on with its follow-up if there is one."""
        self._calls.kept(attempts, error is None)
        try:
            if problem := error or self._breaker.after(reply):
                self._end(problem)
            if error is None:
                follow_up = count_reply(self._progress, attempts.request, reply, self._review)
                if follow_up is not None:
                    self._start(self._follow(follow_up))
        except Exception as defect:  # noqa: BLE001 - of the review; run_requests raises it
            self._end(defect)
        self._closed()

    async def _follow(self, request: Request) -> bool:
        """Settle a follow-up, which may be stored already or under way elsewhere."""
        while not self._draining:
            known = await asyncio.to_thread(self._lookup.classify, [request])
            if not known.wanted:
                count_known(self._progress, known)
                for further in known.follow_ups:
                    self._start(self._follow(further))
                return False
            if await self._claim(known.wanted):
                return await self._settle(request)
            await self._calls.sleepers.sleep(POLL)
        return False

    async def _keep_claims(self) -> None:
        while True:
            await asyncio.sleep(claims.RENEW_EVERY)
            with suppress(KbError):  # a store that cannot be written to ends the run elsewhere
                await self._commit.submit(partial(claims.renew, owner=self._owner))

    def _end(self, problem: BaseException) -> None:
        """Note the first reason to end early and let nothing new start."""
        self.problem = self.problem or problem
        self._draining = True
        self._drain_now()

    def _drain_now(self) -> None:
        self._calls.drain()
        self._drop_ready()
