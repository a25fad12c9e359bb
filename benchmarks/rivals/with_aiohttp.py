"""The baseline: aiohttp with a semaphore, nothing stored."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

import asyncio

import aiohttp


def prepare(job: runner.Job) -> runner.Call:
    rows = job.read_rows()

    async def ask_all() -> list[tuple[int, str]]:
        limit = asyncio.Semaphore(job.in_flight)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask(row: dict) -> tuple[int, str]:
                body = job.body(row["messages"])
                async with limit, session.post(f"{job.url}/chat/completions", json=body) as response:
                    reply = await response.json()
                return row["row"], runner.parsed(reply["choices"][0]["message"]["content"])

            return await asyncio.gather(*map(ask, rows))

    return lambda: asyncio.run(ask_all())


if __name__ == "__main__":
    runner.main(prepare)
