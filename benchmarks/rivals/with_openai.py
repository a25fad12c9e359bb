"""The openai SDK's default async client with a semaphore, nothing stored."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

import asyncio

import openai


def prepare(job: runner.Job) -> runner.Call:
    rows = job.read_rows()

    async def ask_all() -> list[tuple[int, str]]:
        limit = asyncio.Semaphore(job.in_flight)
        async with openai.AsyncOpenAI(base_url=job.url, api_key="none") as client:

            async def ask(row: dict) -> tuple[int, str]:
                async with limit:
                    reply = await client.chat.completions.create(**job.body(row["messages"]))
                return row["row"], runner.parsed(reply.choices[0].message.content or "")

            return await asyncio.gather(*map(ask, rows))

    return lambda: asyncio.run(ask_all())


if __name__ == "__main__":
    runner.main(prepare)
