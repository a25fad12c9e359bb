"""Texts of datasets as a page can show them: no invisible characters, no endless labels, numbers of readable length."""

from __future__ import annotations

import re

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
"""Controls, and marks that reorder or hide what is around them; tab and line feed are neither."""


def visible(text: str) -> str:
    """The text with every hidden character written as its code point."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def clipped(text: str, length: int) -> str:
    """At most so many characters, the last one an ellipsis where something is left out."""
    shown = visible(text).replace("\n", " ")
    return shown if len(shown) <= length else shown[: max(length - 1, 1)] + "…"


def number(value: float) -> str:
    """A number as people read it: thousands apart, about four digits of a fraction."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
