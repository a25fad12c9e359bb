"""How numbers are said in messages."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 reply`, `1,234 replies`; `many` where the plural is not `one` and an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
