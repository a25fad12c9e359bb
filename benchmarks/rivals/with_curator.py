"""bespoke curator: its OpenAI backend with rate limits out of the way."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

from collections.abc import Iterator
from typing import Any

import litellm.litellm_core_utils.default_encoding  # noqa: F401 - it brings the tokenizer that is else downloaded
from bespokelabs import curator

UNLIMITED = 10**9


class Judge(curator.LLM):
    """The messages as they are, and the label out of the reply."""

    def prompt(self, row: dict[str, Any]) -> list[dict[str, str]]:
        return row["messages"]

    def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
        return {"row": row["row"], "difficulty": runner.parsed(response)}


def prepare(job: runner.Job) -> runner.Call:
    rows = job.read_rows()

    def call() -> Iterator[tuple[int, str]]:
        judge = Judge(
            model_name="test-model",
            backend="openai",
            generation_params={**job.sampling, "response_format": job.response_format},
            backend_params={
                "base_url": job.url,
                "api_key": "none",
                "max_concurrent_requests": job.in_flight,
                "max_requests_per_minute": UNLIMITED,
                "max_tokens_per_minute": UNLIMITED,
            },
        )
        done = judge(rows, working_dir=job.folder).dataset
        yield from ((row["row"], row["difficulty"]) for row in done)

    return call


if __name__ == "__main__":
    runner.main(prepare)
