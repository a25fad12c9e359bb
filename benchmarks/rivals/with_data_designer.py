"""NVIDIA's Data Designer: a seed dataset with the rendered messages and one text column."""

from __future__ import annotations

from benchmarks.rivals import runner  # isort: skip - its clock starts before the tool is imported

from collections.abc import Iterator
from pathlib import Path

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner


def prepare(job: runner.Job) -> runner.Call:
    rows = [
        {"row": row["row"], **{message["role"]: message["content"] for message in row["messages"]}}
        for row in job.each_row()
    ]
    provider = dd.ModelProvider(name="local", endpoint=job.url, provider_type="openai", api_key="none")
    designer = DataDesigner(artifact_path=Path(job.folder), model_providers=[provider])
    designer.set_run_config(dd.RunConfig(max_in_flight_tasks=max(1024, 2 * job.in_flight), otel_metrics_port=None))
    asked = dd.ChatCompletionInferenceParams(
        max_parallel_requests=job.in_flight, extra_body={"response_format": job.response_format}, **job.sampling
    )
    model = dd.ModelConfig(
        alias="judge", model="test-model", provider="local", inference_parameters=asked, skip_health_check=True
    )
    config = dd.DataDesignerConfigBuilder(model_configs=[model])
    config.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame(rows)))
    config.add_column(
        dd.LLMTextColumnConfig(name="reply", model_alias="judge", system_prompt="{{ system }}", prompt="{{ user }}")
    )

    def call() -> Iterator[tuple[int, str]]:
        done = designer.create(config, num_records=len(rows), dataset_name="judge").load_dataset()
        yield from zip(done["row"], map(runner.parsed, done["reply"]), strict=True)

    return call


if __name__ == "__main__":
    runner.main(prepare)
