"""Small datasets in the known layouts, written for the tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import datasets
import pyarrow as pa
from datasets.table import InMemoryTable

CODE = "import torch\n\nclass {name}(torch.nn.Module):\n    def forward(self, x):\n        return x + {n}\n"


def made(columns: Mapping[str, Sequence[Any]], features: datasets.Features | None = None) -> datasets.Dataset:
    """What `Dataset.from_dict` gives, whose fingerprint takes longer than all else: it pickles the whole dataset."""
    table = pa.Table.from_pydict(dict(columns), schema=features and features.arrow_schema)
    name = hashlib.sha256(repr((columns, features)).encode("utf-8", "surrogatepass")).hexdigest()
    return datasets.Dataset(InMemoryTable(table), fingerprint=name)


def made_of(rows: Sequence[Mapping[str, Any]], features: datasets.Features | None = None) -> datasets.Dataset:
    """What `Dataset.from_list` gives, likewise."""
    return made({name: [row.get(name) for row in rows] for name in features or rows[0]}, features)


def evals(rewards: Sequence[float | None], names: Sequence[str] | None = None) -> datasets.Dataset:
    """Rows of the evals layout with these rewards, their modules called A, B, ... unless named."""
    return _evals(tuple(rewards), tuple(names or (chr(ord("A") + i % 26) for i in range(len(rewards)))))


@cache
def _evals(rewards: tuple[float | None, ...], names: tuple[str, ...]) -> datasets.Dataset:
    rows = [evals_row(i, name, reward) for i, (name, reward) in enumerate(zip(names, rewards, strict=True))]
    return made({name: [row[name] for row in rows] for name in EVALS}, EVALS)


def evals_row(index: int, name: str, reward: float | None, content: str | None = None) -> dict[str, Any]:
    """One row of the evals layout."""
    code = CODE.format(name=name, n=index)
    return {
        "example_id": 100 + index,
        "prompt": [{"role": "user", "content": f"Write {name}New."}],
        "completion": [
            {"role": "assistant", "content": content or f"<answer>\nx = {index}\n</answer>", "reasoning": "hm"}
        ],
        "task": "kernelbook",
        "reward": reward,
        "info": {"module_name": name, "python_code": code, "triton_code": "pass"},
        "answer": "pass",
    }


_TURN = {"role": datasets.Value("string"), "content": datasets.Value("string")}
EVALS = datasets.Features(
    {
        "example_id": datasets.Value("int64"),
        "prompt": datasets.List(_TURN),
        "completion": datasets.List({**_TURN, "reasoning": datasets.Value("string")}),
        "task": datasets.Value("string"),
        "reward": datasets.Value("float64"),
        "info": {
            "module_name": datasets.Value("string"),
            "python_code": datasets.Value("string"),
            "triton_code": datasets.Value("string"),
        },
        "answer": datasets.Value("string"),
    }
)
KERNELBOOK = datasets.Features(
    {
        "uuid": datasets.Value("int64"),
        "entry_point": datasets.Value("string"),
        "python_code": datasets.Value("string"),
        "triton_code": datasets.Value("string"),
        "module_name": datasets.Value("string"),
    }
)
