"""The least that keeps what kbtools promises: its prompt, key, call, reading and store, and nothing around them.

Every reply is on disk, in groups of at most 10 ms, before its label counts. There are no claims, retries, limits,
budget or repairs, nothing is looked up, and what comes out is a list in memory.
"""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

import asyncio
import json
from functools import partial
from pathlib import Path

import jinja2.sandbox  # noqa: F401 - kbtools imports it with the first prompt; the clocks of all clients leave imports out

import kbtools as kb
from kbtools.models.backends.http import HttpBackend
from kbtools.models.contract import understood
from kbtools.models.engine.accounting import reply_from
from kbtools.models.reading import Reading
from kbtools.models.reply import Reply
from kbtools.models.store import ResponseStore
from kbtools.models.store.commit import GroupCommit


def prepare(job: runner.Job) -> runner.Call:
    rows = [json.loads(line) for line in Path(job.codes).read_text().splitlines()]
    judge, backend = kb.ModelJudge(rubric="difficulty@v2"), HttpBackend(job.url, "test-model")
    contract = judge.contract()

    async def ask_all() -> list[tuple[int, str]]:
        left, found = iter(rows), []

        def kept(row: int, reply: Reply, error: Exception | None) -> None:
            fields = understood(contract, reply.read or Reading())
            if error is None and isinstance(fields, dict):
                found.append((row, str(fields["difficulty"])))

        async def ask_on_one() -> None:
            for row in left:
                (request,) = judge.requests({"reference_code": row["python_code"]}, "test-model")
                reply = reply_from(request, await send(request, 60), backend, 1, 0.0, 0.0)
                commit.put(reply, partial(kept, row["row"], reply))

        with ResponseStore(Path(job.folder) / "store.sqlite") as store:
            async with GroupCommit(store) as commit, backend.connect() as send:
                await asyncio.gather(*(ask_on_one() for _ in range(job.in_flight)))
        return found

    return lambda: asyncio.run(ask_all())


if __name__ == "__main__":
    runner.main(prepare)
