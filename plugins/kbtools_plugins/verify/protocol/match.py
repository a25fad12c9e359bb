"""What a comparison of outputs finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Match:
    """The outputs agree."""

    max_error: float
    """The largest relative error seen."""
    remark: str = ""
    """What is to be noted of them all the same."""


@dataclass(frozen=True)
class Difference:
    """What tells two outputs apart."""

    verdict: str
    """wrong_output or wrong_shape_or_dtype."""
    text: str
    max_error: float | None = None
