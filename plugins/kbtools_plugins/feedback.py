"""What a model may be told of its wrong kernel: where it is off and by how much, never what would be right.

Used by whatever shows findings of `verify` to the writer of a candidate: repair turns, and the service.
"""

from __future__ import annotations

import re

_VALUES = re.compile(r": \S+ instead of \S+")
"""The one place where a finding of `verify` quotes values of the output and of the reference."""
_ABOUT_THE_REFERENCE = ("reference_error", "reference_unfit")


def finding(verdict: str, error: str) -> str:
    """The finding without values of outputs; empty where it would be about the reference, whose code it may quote."""
    if verdict.partition(":")[0] in _ABOUT_THE_REFERENCE:
        return ""
    return _VALUES.sub("", error)
