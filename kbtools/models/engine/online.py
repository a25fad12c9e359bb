"""The online driver: requests run concurrently, in completion order, and every reply is on disk before it counts.

Each request is a job, a coroutine that holds a place in a bounded window until its reply is committed. What has to
be sent is decided in `lookup`; how a request gets its answer is in `attempts`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from kbtools.calls import Distinct
from kbtools.errors import KbError
from kbtools.models.backend import OnlineBackend, Review
from kbtools.models.engine.accounting import CircuitBreaker, count_reply
from kbtools.models.engine.attempts import Attempts, CallRunner
from kbtools.models.engine.lookup import Lookup, count_known
from kbtools.models.engine.progress import Progress
from kbtools.models.options import Options
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore, claims
from kbtools.models.store.commit import GroupCommit

CHUNK = 32
"""Requests rendered and looked up together; more would hold up the calls under way."""
POLL = 0.25
"""Seconds between looks at requests that another process is sending."""
MOST_PARKED = 4096


class Scheduler:
    """One run against an online backend."""

    def __init__(
        self,
        backend: OnlineBackend,
        store: ResponseStore,
        options: Options,
        progress: Progress,
        review: Review | None,
        seen: Distinct,
    ) -> None:
        self.problem: BaseException | None = None
        self._backend = backend
        self._store = store
        self._options = options
        self._progress = progress
        self._review = review
        self._seen = seen
        self._owner = claims.new_owner()
        self._breaker = CircuitBreaker(backend.endpoint)
        self._draining = False
        self._loop: asyncio.AbstractEventLoop | None = None

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
        self._calls.drain()
        if self._opening is not None:
            self._opening.cancel()

    def _cancel(self) -> None:
        for job in self._jobs:
            job.cancel()

    async def _main(self, requests: Iterator[Request]) -> None:
        self._calls = CallRunner(self._options, self._progress, self._end)
        self._lookup = Lookup(
            self._store, self._backend.endpoint, self._review, self._options.repeat_failures, time.time()
        )
        self._jobs: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(2 * self._options.max_in_flight + CHUNK)
        self._opening = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        async with GroupCommit(self._store) as self._commit, self._backend.connect() as self._calls.send:
            self._opening = None
            keeping = asyncio.create_task(self._keep_claims())
            try:
                await self._feed(requests)
            except Exception as error:  # noqa: BLE001 - run_requests raises it, after what is under way is in
                self._end(error)
            while self._jobs:
                await asyncio.wait(self._jobs)
            keeping.cancel()
            with suppress(KbError):  # a store that fails now has failed before and is reported
                await self._commit.submit(partial(claims.release_all, owner=self._owner))

    async def _feed(self, source: Iterator[Request]) -> None:
        parked: deque[Request] = deque()
        looked = time.monotonic()
        exhausted = False
        while not self._draining and (parked or not exhausted):
            chunk: list[Request] = []
            if not exhausted and len(parked) < MOST_PARKED:
                # In a thread: rendering prompts must not hold up the calls under way.
                taken = await asyncio.to_thread(list, islice(source, CHUNK))
                exhausted = not taken
                chunk = self._seen.new(taken)
                self._progress.taken(len(taken), len(taken) - len(chunk))
            else:
                await self._calls.sleepers.sleep(POLL)
            if time.monotonic() - looked >= POLL:
                looked = time.monotonic()
                chunk += parked
                parked.clear()
            parked.extend(await self._admit(chunk))

    async def _admit(self, requests: list[Request]) -> list[Request]:
        """Start jobs for what is to be sent, and return the requests that another process is sending."""
        if not requests:
            return []
        by_key = {request.key: request for request in requests}
        known = await asyncio.to_thread(self._lookup.classify, requests)
        count_known(self._progress, known)
        for follow_up in known.follow_ups:
            await self._start(self._follow(follow_up))
        granted = await self._claim(known.wanted)
        for key in known.wanted:
            if key in granted:
                await self._start(self._settle(by_key[key]))
        return [by_key[key] for key in known.wanted if key not in granted]

    async def _claim(self, wanted: dict[str, float | None]) -> set[str]:
        if not wanted:
            return set()
        return await self._commit.submit(partial(claims.claim, owner=self._owner, seen=wanted))

    async def _start(self, job: Coroutine[None, None, None]) -> None:
        await self._room.acquire()
        task = asyncio.create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._jobs.discard(task)
        self._room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(error)

    async def _settle(self, request: Request) -> None:
        """Bring a claimed request to a committed reply, and go on with its follow-up if there is one."""
        follow_ups: list[Request] = []
        if not await self._calls.ask(request, partial(self._keep, follow_ups)):
            self._commit.submit(partial(claims.release, keys=[request.key], owner=self._owner))
        for follow_up in follow_ups:
            await self._follow(follow_up)

    async def _keep(self, follow_ups: list[Request], attempts: Attempts) -> None:
        """Commit a reply, then count it."""
        reply = self._calls.reply(attempts, self._backend)
        await self._commit.put(reply)
        if problem := self._breaker.after(reply):
            self._end(problem)
        follow_up = count_reply(self._progress, attempts.request, reply, self._review)
        if follow_up is not None:
            follow_ups.append(follow_up)

    async def _follow(self, request: Request) -> None:
        """Settle a follow-up, which may be stored already or under way elsewhere."""
        while not self._draining:
            known = await asyncio.to_thread(self._lookup.classify, [request])
            if not known.wanted:
                count_known(self._progress, known)
                for further in known.follow_ups:
                    await self._follow(further)
                return
            if await self._claim(known.wanted):
                await self._settle(request)
                return
            await self._calls.sleepers.sleep(POLL)

    async def _keep_claims(self) -> None:
        while True:
            await asyncio.sleep(claims.RENEW_EVERY)
            with suppress(KbError):  # a store that cannot be written to ends the run elsewhere
                await self._commit.submit(partial(claims.renew, owner=self._owner))

    def _end(self, problem: BaseException) -> None:
        """Note the first reason to end early and let nothing new start."""
        self.problem = self.problem or problem
        self._draining = True
        self._calls.drain()
