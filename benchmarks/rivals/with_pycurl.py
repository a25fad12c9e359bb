"""libcurl with a semaphore, nothing stored: what any client on this transport cannot go below."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

import asyncio
import json

import pycurl


def prepare(job: runner.Job) -> runner.Call:
    rows = job.read_rows()

    async def ask_all() -> list[tuple[int, str]]:
        limit = asyncio.Semaphore(job.in_flight)
        idle: list[pycurl.Curl] = []
        async with pycurl.AsyncCurlMulti() as multi:

            async def ask(row: dict) -> tuple[int, str]:
                async with limit:
                    curl = idle.pop() if idle else pycurl.Curl()
                    parts: list[bytes] = []
                    curl.setopt(pycurl.URL, f"{job.url}/chat/completions")
                    curl.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json", "Expect:"])
                    curl.setopt(pycurl.POSTFIELDS, json.dumps(job.body(row["messages"])))
                    curl.setopt(pycurl.WRITEFUNCTION, parts.append)
                    await multi.perform(curl)
                    idle.append(curl)
                reply = json.loads(b"".join(parts))
                return row["row"], runner.parsed(reply["choices"][0]["message"]["content"])

            return await asyncio.gather(*map(ask, rows))

    return lambda: asyncio.run(ask_all())


if __name__ == "__main__":
    runner.main(prepare)
