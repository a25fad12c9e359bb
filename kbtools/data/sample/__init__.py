"""The dataset called `sample`: rollouts in the evals schema, written for this project, shipped in the wheel.

Rows are in `sample.jsonl`; the modules, kernels and texts that they are made of are under `modules/`; `build`
puts them together and measures every reward. How rows become a `Dataset` is the business of `kbtools.data`.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

__all__ = ["path"]


def path() -> Traversable:
    """Give the shipped JSON Lines file, one rollout a line."""
    return resources.files(__name__) / "sample.jsonl"
