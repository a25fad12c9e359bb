"""What each part of a judged row takes by itself, in processor microseconds: no run can take less than their sum.

    python -m benchmarks.models_floor

Rendering and keys, the reading of a reply by its contract, the call over a socket that nobody else uses, and the store
in groups of as many replies as 10 ms bring at 64, 256 and 1,024 in flight with a server that takes 100 ms. One thread,
nothing at the same time, so that no part pays for another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import kbtools as kb
from benchmarks.machine import write
from benchmarks.models_throughput import code_of
from benchmarks.rivals.measure import server
from benchmarks.rivals.server import VERDICTS
from kbtools.models.backends.http import HttpBackend
from kbtools.models.backends.received import received
from kbtools.models.backends.transport import opened
from kbtools.models.contract import understood
from kbtools.models.engine.accounting import reply_from
from kbtools.models.reading import Reading
from kbtools.models.reply import Reply
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore, claims, put
from kbtools.models.store.commit import LINGER
from kbtools.models.store.responses import chunks

DELAY = 0.1
LEVELS = (64, 256, 1024)
BODIES = [verdict.partition(b"\r\n\r\n")[2] for verdict in VERDICTS]


def microseconds(work: Callable[[], object], rows: int) -> float:
    """Processor time of this thread for each row."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / rows * 1e6


def rendered(judge: kb.ModelJudge, codes: Sequence[str]) -> list[Request]:
    """The requests of all rows."""
    return [judge.requests({"reference_code": code}, "test-model")[0] for code in codes]


def replies(judge: kb.ModelJudge, requests: Sequence[Request], backend: HttpBackend) -> list[Reply]:
    """The replies as they are read from their bytes and judged by the contract."""
    found = []
    for number, request in enumerate(requests):
        answer = received(200, {"content-type": "application/json"}, BODIES[number % len(BODIES)])
        understood(judge.contract(), answer.read or Reading())
        found.append(reply_from(request, answer, backend, 1, 0.0, DELAY))
    return found


def stored(found: Sequence[Reply], group: int) -> None:
    """Claim and store all, one transaction for each group's claims and replies."""
    with tempfile.TemporaryDirectory() as folder, ResponseStore(Path(folder) / "store.sqlite") as store:
        connection, owner = store.connect(), claims.new_owner()
        for some in chunks(found, group):
            connection.execute("BEGIN IMMEDIATE")
            claims.claim(connection, owner, {reply.key: None for reply in some})
            put(connection, some)
            connection.execute("COMMIT")
        connection.close()


async def called(url: str, bodies: Sequence[bytes], in_flight: int) -> None:
    """Post all, so many at once, and keep nothing."""
    left = iter(bodies)

    async def worker() -> None:
        for body in left:
            await transport.call(url, body, 60)

    async with opened({"Content-Type": "application/json"}) as transport:
        await asyncio.gather(*(worker() for _ in range(in_flight)))


def once(rows: int) -> dict[str, float]:
    """Each part, once."""
    judge, codes = kb.ModelJudge(rubric="difficulty@v2"), [code_of(row) for row in range(rows)]
    requests = rendered(judge, codes)
    with server(DELAY) as url:
        backend = HttpBackend(url, "test-model")
        bodies = [backend.dialect.body(request, "test-model").encode() for request in requests]
        found = {
            "render": microseconds(lambda: rendered(judge, codes), rows),
            "read": microseconds(lambda: replies(judge, requests, backend), rows),
        }
        answered = replies(judge, requests, backend)
        for level in LEVELS:
            group = max(1, round(level / DELAY * LINGER))
            found[f"call {level}"] = microseconds(lambda: asyncio.run(called(backend.endpoint, bodies, level)), rows)  # noqa: B023 - called at once
            found[f"store {level}"] = microseconds(lambda: stored(answered, group), rows)  # noqa: B023 - called at once
    return found


def main() -> None:
    """Medians over rounds, and their sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds = [once(arguments.rows) for _ in range(arguments.rounds)]
    parts = {name: round(statistics.median(each[name] for each in rounds), 1) for name in rounds[0]}
    sums = {
        str(level): round(sum(parts[name] for name in ("render", "read", f"call {level}", f"store {level}")), 1)
        for level in LEVELS
    }
    for name, taken in parts.items():
        print(f"{name:12} {taken:7.1f} us a row")
    for level, taken in sums.items():
        print(f"all, {level:>5} in flight {taken:7.1f} us a row")
    print(f"wrote {write('models_floor', {'microseconds': parts, 'sums': sums})}")


if __name__ == "__main__":
    main()
