"""Which rows are right, from a column of verdicts, of true and false, or of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import kbtools as kb
from kbtools.data.columns import column_type
from kbtools.data.table import column

if TYPE_CHECKING:
    from datasets import Dataset, Features

PASS = "pass"
NOT_THE_CANDIDATES = ("reference_error", "reference_unfit", "unsupported")
"""Verdicts that say nothing of the candidate: such a row is neither right nor wrong."""
_TRUTHS = frozenset({"true", "false", "yes", "no", "1", "0", "1.0", "0.0", "passed", "correct", "incorrect"})
"""What other programs write for right and wrong: as verdicts all of them would be wrong."""


def outcome_column(features: Features, columns: dict[str, str], named: str) -> str:
    """Path of the column that says which rows are right: the one named, or else `verdict`, or else the reward."""
    schema = kb.Schema(features, columns)
    default = "verdict" if "verdict" in features else "reward"
    return schema.require(schema.locate(named or default), "scalar")


def outcomes(ds: Dataset, path: str, threshold: float) -> list[bool | None]:
    """Right, wrong, or not decided, for every row."""
    if str(getattr(column_type(ds.features, path), "dtype", "")).endswith("string"):
        return [_of_verdict(value, path) for value in column(ds, path).to_pylist()]
    return [_of_number(value, threshold) for value in column(ds, path).to_pylist()]


def _of_verdict(verdict: str | None, path: str) -> bool | None:
    if verdict is not None and verdict.strip().lower() in _TRUTHS:
        raise kb.errors.SchemaError(
            f"column {path!r} holds {verdict!r} as text, which is no verdict: make it a column of true and false, or "
            "of numbers."
        )
    if not verdict or verdict.partition(":")[0] in NOT_THE_CANDIDATES:
        return None
    return verdict == PASS


def _of_number(value: float | None, threshold: float) -> bool | None:
    if value is None or math.isnan(value):
        return None
    return value if isinstance(value, bool) else value > threshold


def wilson(passed: int, tried: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval for a share (Wilson 1927), which also holds for few tries and for 0 or all of them."""
    share, scale = passed / tried, 1 + z * z / tried
    middle = share + z * z / (2 * tried)
    spread = z * math.sqrt(share * (1 - share) / tried + z * z / (4 * tried * tried))
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return (0.0 if passed == 0 else low, 1.0 if passed == tried else high)


def kinds(ds: Dataset, path: str, found: Sequence[bool | None]) -> list[str]:
    """What each row is called in a pair: its verdict where there is one, else `pass` or `fail`."""
    if str(getattr(column_type(ds.features, path), "dtype", "")).endswith("string"):
        return [verdict or "" for verdict in column(ds, path).to_pylist()]
    return [PASS if passed else "fail" for passed in found]
