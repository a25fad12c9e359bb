"""Synthetic rollouts in the evals schema, for benchmarks of whole pipelines."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

CHUNK = 10_000
SEED = 7


def rows(count: int, code_bytes: int) -> Iterator[dict[str, Any]]:
    """Rollouts in the evals schema: four of each module, in random order, some right and some fast."""
    rng = random.Random(SEED)
    lines = [f"    x{i} = tl.load(ptr{i % 7} + offsets * {i}, mask=mask)  # {rng.random()}\n" for i in range(50_000)]
    modules = max(1, count // 4)

    def code(seed: int) -> str:
        return "import torch\n\n\ndef f(ptr, offsets, mask):\n" + "".join(
            random.Random(seed).choices(lines, k=max(1, code_bytes // 65))
        )

    for number in range(count):
        module = rng.randrange(modules)
        yield {
            "example_id": number,
            "prompt": [{"role": "user", "content": f"Write module{module}New with Triton."}],
            "completion": [
                {
                    "role": "assistant",
                    "content": f"<think>Draft {number}: <b> one pass over the rows. {'hm ' * 60}</think>\n"
                    f"<answer>\n{code(number)}</answer>",
                    "reasoning": None,
                }
            ],
            "task": "kernelbook",
            "reward": round(rng.random() * 2, 6),
            "generation_ms": 1000.0 + number,
            "info": {
                "module_name": f"module{module}",
                "python_code": code(-1 - module),
                "triton_code": "",
            },
            "answer": "",
            "num_turns": 1.0,
        }


def generate_small(folder: Path, count: int) -> dict[str, Path]:
    """Many rows of a line of code each, as parquet."""
    import pyarrow.parquet as pq

    path = folder / "rollouts.parquet"
    with pq.ParquetWriter(path, schema(), compression="zstd") as writer:
        for start in range(0, count, 10 * CHUNK):
            writer.write_table(small_table(start, min(10 * CHUNK, count - start), max(1, count // 4)))
    return {"parquet": path}


def small_table(start: int, count: int, modules: int) -> Any:
    """The rows from a number on, with the answers of so many modules."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    rng = np.random.default_rng([SEED, start])
    module, number = rng.integers(modules, size=count), np.arange(start, start + count)

    def text(before: str, numbers: np.ndarray, after: str) -> Any:
        return pc.binary_join_element_wise(before, pa.array(numbers).cast(pa.string()), after, "")

    def message(role: str, content: Any, **more: Any) -> Any:
        parts = {"role": pa.repeat(role, count), "content": content, **more}
        return pa.ListArray.from_arrays(
            np.arange(count + 1, dtype=np.int32), pa.StructArray.from_arrays(**_named(parts))
        )

    answer = text("<think>Draft ", number, "</think>\n<answer>\nreturn x\n</answer>")
    info = {"module_name": text("module", module, ""), "python_code": text("return ", module, "")}
    columns = {
        "example_id": pa.array(number),
        "prompt": message("user", text("Write module", module, "New.")),
        "completion": message("assistant", answer, reasoning=pa.nulls(count, pa.string())),
        "task": pa.repeat("kernelbook", count),
        "reward": pa.array(np.round(rng.random(count) * 2, 6)),
        "generation_ms": pa.array(1000.0 + number),
        "info": pa.StructArray.from_arrays(**_named({**info, "triton_code": pa.repeat("", count)})),
        "answer": pa.repeat("", count),
        "num_turns": pa.repeat(1.0, count),
    }
    return pa.table(columns, schema=schema())


def _named(parts: dict[str, Any]) -> dict[str, Any]:
    return {"arrays": list(parts.values()), "names": list(parts)}


def generate(folder: Path, count: int, code_bytes: int) -> dict[str, Path]:
    """The same rows as parquet (what the Hub gives) and as jsonl (what the old scripts read)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = {"parquet": folder / "rollouts.parquet", "jsonl": folder / "rollouts.jsonl"}
    source, writer = rows(count, code_bytes), None
    with paths["jsonl"].open("w") as text:
        while chunk := list(islice(source, CHUNK)):
            table = pa.Table.from_pylist(chunk, schema=writer.schema if writer else schema())
            writer = writer or pq.ParquetWriter(paths["parquet"], table.schema, compression="zstd")
            writer.write_table(table)
            text.writelines(json.dumps(row) + "\n" for row in chunk)
    if writer is not None:
        writer.close()
    return paths


def schema() -> Any:
    """Arrow schema of the rows (their reasoning is null in each, so it cannot be told from the values)."""
    import pyarrow as pa

    message = pa.struct({"role": pa.string(), "content": pa.string()})
    answer = pa.struct({"role": pa.string(), "content": pa.string(), "reasoning": pa.string()})
    info = pa.struct({"module_name": pa.string(), "python_code": pa.string(), "triton_code": pa.string()})
    return pa.schema(
        {
            "example_id": pa.int64(),
            "prompt": pa.list_(message),
            "completion": pa.list_(answer),
            "task": pa.string(),
            "reward": pa.float64(),
            "generation_ms": pa.float64(),
            "info": info,
            "answer": pa.string(),
            "num_turns": pa.float64(),
        }
    )
