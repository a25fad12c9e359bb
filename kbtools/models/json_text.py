"""The JSON object in a reply's text: strict, in which nothing is coerced, chosen from or filled in."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n\s*```\s*", re.DOTALL)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key occurs twice")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
_MOST_TRIES = 256
_FENCE_END = re.compile(r"\n\s*```\s*$")


def whole(text: str) -> Any:
    """The value that a text is, bare or in one code fence; ValueError where it is more than that."""
    fenced = _FENCED.fullmatch(text)
    return _DECODER.decode(fenced.group(1) if fenced else text)


def at_end(text: str) -> dict[str, Any] | None:
    """The JSON object with which a text of words ends, in a fence or not; None where it is JSON from the beginning on.

    Only one object can reach to the very end, whatever drafts of it are in front.
    """
    text = _FENCE_END.sub("", text).rstrip()
    if not text.endswith("}") or text.lstrip().startswith("{"):
        return None
    start = len(text)
    for _ in range(_MOST_TRIES):
        if (start := text.rfind("{", 0, start)) < 0:
            return None
        try:
            value, end = _DECODER.raw_decode(text, start)
        except ValueError:
            continue
        if end == len(text):
            return dict(value)
    return None
