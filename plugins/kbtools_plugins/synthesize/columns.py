"""The columns of rollouts: the evals layout, and with feedback what was found in each turn."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kbtools.llm.parts import RowValues

TASK = "kernelbook-triton"
_FOUND = ("verdict", "error", "passed_turn", "turn_verdicts", "turn_rewards")


def found_features() -> dict[str, object]:
    """Of the last answer its verdict and what was found, of each answer verdict and reward, and which one was right."""
    import datasets

    text, number = datasets.Value("string"), datasets.Value("float64")
    return {
        "verdict": text,
        "error": text,
        "passed_turn": datasets.Value("int64"),
        "turn_verdicts": datasets.List(text),
        "turn_rewards": datasets.List(number),
    }


def class_name(module_name: str, code: str) -> str:
    """The class that the code defines: KernelBench calls each one Model, and the row by the name of its problem."""
    classes = re.findall(r"^class\s+(\w+)", code, re.MULTILINE)
    return "Model" if module_name not in classes and "Model" in classes else module_name


def rollout_row(inputs: Mapping[str, str | None], value: RowValues) -> dict[str, object]:
    """A row of the result; what was not measured is null."""
    row_id = inputs.get("row_id") or ""
    triton = inputs.get("triton_code")
    return {
        "example_id": int(row_id) if row_id.lstrip("-").isdigit() else None,
        "prompt": value.get("prompt"),
        "completion": value.get("completion"),
        "task": TASK,
        "generation_ms": value.get("generation_ms"),
        "info": {
            "module_name": inputs["module_name"],
            "python_code": inputs["reference_code"],
            "triton_code": triton,
        },
        "answer": triton,
        **{name: value.get(name) for name in ("num_turns", "reward", *_FOUND)},
    }
