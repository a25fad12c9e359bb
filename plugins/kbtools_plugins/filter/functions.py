"""What expressions compute on Arrow columns where `pyarrow.compute` alone would not do as the language says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def without_nan(values: pa.Array) -> pa.Array:
    """NaN compares to nothing, as null does."""
    import pyarrow.compute as pc
    import pyarrow.types as pt

    return pc.if_else(pc.is_nan(values), None, values) if pt.is_floating(values.type) else values


def divide(left: pa.Array, right: pa.Array) -> pa.Array:
    """As in Python: 1 / 2 is 0.5; but a number divided by zero is infinite, and 0 / 0 is NaN."""
    import pyarrow.compute as pc

    return pc.divide(pc.multiply(left, 1.0), right)


def _text_function(name: str, key: str) -> Callable[[pa.Array, object], pa.Array]:
    def run(values: pa.Array, text: object) -> pa.Array:
        import pyarrow.compute as pc

        return getattr(pc, name)(values, **{key: text})

    return run


def _plain_function(name: str) -> Callable[[pa.Array, object], pa.Array]:
    def run(values: pa.Array, text: object) -> pa.Array:
        import pyarrow.compute as pc

        return getattr(pc, name)(values)

    return run


def _length(values: pa.Array, text: object) -> pa.Array:
    import pyarrow.compute as pc
    import pyarrow.types as pt

    is_list = pt.is_list(values.type) or pt.is_large_list(values.type)
    return pc.list_value_length(values) if is_list else pc.utf8_length(values)


FUNCTIONS: Mapping[str, tuple[Callable[[pa.Array, object], pa.Array], bool]] = {
    "contains": (_text_function("match_substring", "pattern"), True),
    "startswith": (_text_function("starts_with", "pattern"), True),
    "endswith": (_text_function("ends_with", "pattern"), True),
    "matches": (_text_function("match_substring_regex", "pattern"), True),
    "lower": (_plain_function("utf8_lower"), False),
    "upper": (_plain_function("utf8_upper"), False),
    "strip": (_plain_function("utf8_trim_whitespace"), False),
    "abs": (_plain_function("abs"), False),
    "len": (_length, False),
}
"""Function by name, and whether it takes a text beside the column."""
