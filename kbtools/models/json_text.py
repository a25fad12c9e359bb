"""The JSON objects in a reply's text: strict, in which nothing is coerced or filled in."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n\s*```\s*", re.DOTALL)
_OPENING = re.compile(r'\{(?=\s*"(?:[^"\\\n]|\\.)*"\s*:)|\[(?=\s*\{\s*")')
"""What begins an object, or a list of them, and no code or formula."""
_BRACES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]')
_LEAD = re.compile(r"\s*(?:```(?:json)?[ \t]*\n\s*)?(?=\{)")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key occurs twice")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is more than a number can be")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


def whole(text: str) -> Any:
    """The value that a text is, bare or in one code fence; ValueError where it is more than that."""
    value, end = _value_at(text, 0)  # as nearly all are JSON and nothing else
    if end == len(text):
        return value
    fenced = _FENCED.fullmatch(text)
    try:
        return _DECODER.decode(fenced.group(1) if fenced else text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def objects(text: str) -> list[dict[str, Any]]:
    """The whole objects in a text of words, in order, without those in lists and in other objects.

    None of them where the text breaks off within one: what stands in that is a part of something else.
    """
    found, at = [], 0
    while (opening := _OPENING.search(text, at)) is not None:
        at = opening.start()
        value, end = _value_at(text, at)
        if end is None and text[at] == "{":
            end = _end_of_braces(text, at)
            if end is None:
                return []
        if isinstance(value, dict):
            found.append(value)
        at = end or at + 1
    return found


def behind_object(text: str) -> str | None:
    """What stands behind the object with which a text begins, bare or in a fence; None for a text that does not."""
    lead = _LEAD.match(text)
    end = _value_at(text, lead.end())[1] if lead else None
    return None if end is None else text[end:]


def _value_at(text: str, start: int) -> tuple[object, int | None]:
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, None


def _end_of_braces(text: str, start: int) -> int | None:
    """Where the brace that opens here is closed, braces in quotes aside."""
    depth = 0
    for found in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return None
