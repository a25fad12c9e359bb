"""Text that neither UTF-8 nor a column can hold: half a surrogate pair, as byte-level tokenizers and JSON make it.

Every door where text enters asks here before the text goes further.
"""

from __future__ import annotations

from collections.abc import Mapping


def broken_character(value: object) -> int | None:
    """Where the first text in a value, however deep, cannot be written; None if all of it can."""
    if isinstance(value, str):
        if value.isascii():
            return None
        try:
            value.encode()  # many times faster than to look for the character
        except UnicodeEncodeError as error:
            return error.start
        return None
    if isinstance(value, Mapping):
        inner = (*value.keys(), *value.values())
    elif isinstance(value, list | tuple):
        inner = tuple(value)
    else:
        return None
    return next((at for item in inner if (at := broken_character(item)) is not None), None)


def writable(text: str) -> str:
    """The text with escapes in the place of what cannot be written."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
