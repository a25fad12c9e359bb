"""The dataset called `sample`: rollouts in the evals schema, written for this project, shipped in the wheel.

Rows are in `sample.jsonl`; the modules, kernels and texts that they are made of are under `modules/`; the script
`build` puts them together and has every reward verified. How rows become a `Dataset` is the business of `kbtools.data`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["path"]


def path() -> Path:
    """Give the shipped JSON Lines file: one rollout a line, in the evals layout, columns of nulls included."""
    return Path(str(resources.files(__name__) / "sample.jsonl"))
