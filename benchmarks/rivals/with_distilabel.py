"""distilabel: a pipeline of one task; a batch is what it has in flight at once."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

from collections.abc import Iterator
from typing import Any

from distilabel.models.llms import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import ChatGeneration


class Judge(ChatGeneration):
    """The messages as they are, and the label out of the reply."""

    @property
    def outputs(self) -> list[str]:
        return ["difficulty", "model_name"]

    def format_output(self, output: str | None, input: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002
        return {"difficulty": None if output is None else runner.parsed(output)}


def prepare(job: runner.Job) -> runner.Call:
    sampling = dict(job.sampling)
    asked = {
        "max_new_tokens": sampling.pop("max_tokens"),
        "extra_body": {"response_format": job.response_format},
        **sampling,
    }
    with Pipeline(name="judge", cache_dir=job.folder) as pipeline:
        load = LoadDataFromDicts(data=job.read_rows(), batch_size=job.in_flight)
        llm = OpenAILLM(model="test-model", base_url=job.url, api_key="none", generation_kwargs=asked)
        judge = Judge(llm=llm, input_batch_size=job.in_flight, add_raw_input=False, add_raw_output=False)
        load >> judge

    def call() -> Iterator[tuple[int, str]]:
        done = pipeline.run(use_cache=False)["default"]["train"].select_columns(["row", "difficulty"])
        yield from ((row["row"], row["difficulty"]) for row in done if row["difficulty"] is not None)

    return call


if __name__ == "__main__":
    runner.main(prepare)
