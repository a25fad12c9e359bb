"""The queue of `serve-verify` by itself: deadlines, equal questions, and what nobody waits for."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from kbtools.errors import ConfigError
from kbtools_plugins.verify.cache import VerdictStore
from kbtools_plugins.verify.host.pair_processes import Deadline, DeadlinePassed
from kbtools_plugins.verify.pool import Pair, Watcher
from kbtools_plugins.verify.service.desk import Desk, Undecided
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.verdict import Verification

PASS = Verification(verdict="pass")
PAIR, OTHER = Pair("reference", "candidate"), Pair("reference", "other")
LONG = 600.0


class Workers:
    """What was handed over, to be ended by the test."""

    def __init__(self) -> None:
        self.handed: list[tuple[Pair, Deadline, Future[Verification]]] = []

    def submit(self, pair: Pair, keep: Watcher, deadline: Deadline) -> Future[Verification]:
        """As the pool does."""
        future: Future[Verification] = Future()
        self.handed.append((pair, deadline, future))
        return future


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VerdictStore]:
    """An empty one."""
    opened = VerdictStore(tmp_path / "verdicts.sqlite")
    yield opened
    opened.close()


def with_desk(store: VerdictStore, scene: Callable[[Desk, Workers], Awaitable[None]]) -> None:
    """Play a scene at a desk with two places."""

    async def play() -> None:
        workers = Workers()
        await scene(Desk(workers.submit, 1, 2, VerifySettings(), store), workers)

    asyncio.run(play())


def test_what_waits_past_its_deadline_gives_up_its_place(store: VerdictStore) -> None:
    """No worker has begun it: it never will, and the place is free."""

    async def scene(desk: Desk, workers: Workers) -> None:
        with pytest.raises(DeadlinePassed):
            await desk.ask(PAIR, 0.01)
        assert workers.handed[0][2].cancelled()
        await asyncio.sleep(0)
        assert (desk.waiting, desk.counters.expired, desk.counters.checked) == (0, 1, 0)

    with_desk(store, scene)


def test_who_asks_the_same_later_puts_the_deadline_off(store: VerdictStore) -> None:
    """One check serves both, as long as one of them waits."""

    async def scene(desk: Desk, workers: Workers) -> None:
        first, second = desk.ask(PAIR, 0.01), desk.ask(PAIR, LONG)
        await asyncio.sleep(0.1)
        assert not first.done()
        assert workers.handed[0][1].left > 1
        workers.handed[0][2].set_result(PASS)
        assert await first == await second == PASS
        assert len(workers.handed) == 1

    with_desk(store, scene)


def test_a_check_that_met_the_old_deadline_is_tried_again(store: VerdictStore) -> None:
    """It gave up at the moment at which somebody else asked."""

    async def scene(desk: Desk, workers: Workers) -> None:
        task = desk.ask(PAIR, LONG)
        await asyncio.sleep(0)
        workers.handed[0][2].set_exception(DeadlinePassed("just now"))
        while len(workers.handed) < 2:
            await asyncio.sleep(0)
        workers.handed[1][2].set_result(PASS)
        assert await task == PASS

    with_desk(store, scene)


def test_a_check_that_is_begun_keeps_its_place_until_it_ends(store: VerdictStore) -> None:
    """Else an equal question would begin it a second time, and might be told something else."""

    async def scene(desk: Desk, workers: Workers) -> None:
        task = desk.ask(PAIR, 0.05)
        await asyncio.sleep(0)
        assert workers.handed[0][2].set_running_or_notify_cancel()
        await asyncio.sleep(0.2)
        assert desk.ask(PAIR, LONG) is task
        assert not task.done()
        workers.handed[0][2].set_result(PASS)
        assert await task == PASS

    with_desk(store, scene)


def test_a_failure_that_nobody_waits_for_is_not_logged(store: VerdictStore, caplog: pytest.LogCaptureFixture) -> None:
    """Who asked has had a 202 and may come again; the log of the server stays clean."""

    async def scene(desk: Desk, workers: Workers) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(desk.ask(PAIR, LONG)), 0.01)
        workers.handed[0][2].set_exception(ConfigError("the process that runs kernels did not start"))
        while desk.waiting:
            await asyncio.sleep(0)
        gc.collect()
        with pytest.raises(Undecided):
            await _refused(desk, workers)

    with caplog.at_level(logging.DEBUG, "asyncio"):
        with_desk(store, scene)
    assert "never retrieved" not in caplog.text


async def _refused(desk: Desk, workers: Workers) -> Verification:
    """The same while somebody does wait."""
    task = desk.ask(OTHER, LONG)
    await asyncio.sleep(0)
    workers.handed[-1][2].set_exception(ConfigError("it did not start"))
    return await task
