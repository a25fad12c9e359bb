"""Making text from elsewhere safe to print: datasets and plugins must not be able to steer the terminal."""

from __future__ import annotations

_BIDI = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROL = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_VISIBLE = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*_CONTROL, *_BIDI)
    if chr(code) not in "\n\t"
}


def printable(text: str) -> str:
    """The text with control characters, direction overrides and lone surrogates spelled out instead of obeyed."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return whole.replace("\r\n", "\n").translate(_VISIBLE)
