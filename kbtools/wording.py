"""How numbers, lists and texts of datasets are said."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
"""Controls, and marks that reorder or hide what is around them; tab and line feed are neither."""


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 reply`, `1,234 replies`; `many` where the plural is not `one` and an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def visible(text: str) -> str:
    """The text with every hidden character written as its code point."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)
