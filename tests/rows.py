"""Small datasets in the known layouts, written for the tests."""

from __future__ import annotations

from typing import Any

import datasets

CODE = "import torch\n\nclass {name}(torch.nn.Module):\n    def forward(self, x):\n        return x + {n}\n"


def evals(rewards: list[float | None], names: list[str] | None = None) -> datasets.Dataset:
    """Rows of the evals layout with these rewards, their modules called A, B, ... unless named."""
    names = names or [chr(ord("A") + i % 26) for i in range(len(rewards))]
    rows = [evals_row(i, name, reward) for i, (name, reward) in enumerate(zip(names, rewards, strict=True))]
    columns = {name: [row[name] for row in rows] for name in EVALS}  # from_list loses the columns of no rows
    return datasets.Dataset.from_dict(columns, features=EVALS)


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
