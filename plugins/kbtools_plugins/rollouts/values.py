"""Values of rows as programs write them: as what they are, or as JSON text, or not at all.

Each function gives a value of one type and says in an `Unconvertible` what it found instead; what is absent and what is
null are the same everywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kbtools.rollouts import Unconvertible
from kbtools.wording import counted

_LARGEST = 1 << 63


@dataclass(frozen=True)
class Times:
    """How long the parts of a rollout took, in milliseconds."""

    generation: float | None
    scoring: float | None
    total: float | None


def decoded(value: object) -> Any:
    """The value of JSON text; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError):
        raise Unconvertible("broken-json", f"a value is to be JSON, but begins {value[:60]!r}") from None


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """An object, empty where there is none; or Unconvertible."""
    found = decoded(value)
    if found is None:
        return {}
    if isinstance(found, Mapping):
        return found
    raise Unconvertible("not-an-object", f"its {name} is {found!r:.60}")


def objects(name: str, value: object) -> list[Mapping[str, Any]]:
    """A list of objects, empty where there is none; or Unconvertible."""
    found = decoded(value)
    if found is None:
        return []
    if isinstance(found, list) and all(isinstance(item, Mapping) for item in found):
        return found
    raise Unconvertible("not-a-list", f"its {name} is not a list of objects: {found!r:.60}")


def number(name: str, value: object) -> float | None:
    """A number or nothing; or Unconvertible."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Unconvertible("not-a-number", f"its {name} is {value!r:.60}")
    try:
        return float(value)
    except OverflowError:
        raise Unconvertible("not-a-number", f"its {name} has {counted(len(str(value)), 'digit')}") from None


def finite(name: str, value: object) -> float | None:
    """As `number`; NaN and infinity, which no reward and no time is, are nothing."""
    found = number(name, value)
    return found if found is not None and math.isfinite(found) else None


def whole(name: str, value: Any) -> int:
    """An integer of 64 bits; or Unconvertible."""
    found = number(name, value)
    if found is None or not found.is_integer() or not -_LARGEST <= int(value) < _LARGEST:
        raise Unconvertible("not-a-number", f"its {name} is {value!r:.60}")
    return int(value)


def truth(name: str, value: object) -> bool | None:
    """True, false or nothing; or Unconvertible."""
    if value is None or isinstance(value, bool):
        return value
    raise Unconvertible("not-true-or-false", f"its {name} is {value!r:.60}")


def text(name: str, value: object) -> str | None:
    """A text or nothing; or Unconvertible."""
    if value is None or isinstance(value, str):
        return value
    raise Unconvertible("not-a-text", f"its {name} is {value!r:.60}")


def label(value: object) -> str | None:
    """A value that only names something, as text."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def as_json(value: object) -> str | None:
    """JSON text of what is there; null where there is nothing."""
    found = decoded(value) if isinstance(value, str) else value
    return None if found in (None, {}, [], "") else json.dumps(found, ensure_ascii=False)


def without_nulls(value: object) -> Any:
    """The value without the keys that it only has because other rows of the column have them."""
    if isinstance(value, Mapping):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def tools_as_json(tools: Iterable[object]) -> str | None:
    """Tools as JSON text in the form of the OpenAI API, in which the description is within the tool's type."""
    found = [_tool(tool) for tool in tools]
    return json.dumps(found) if found else None


def _tool(tool: object) -> object:
    bare = without_nulls(decoded(tool))
    if not isinstance(bare, Mapping):
        raise Unconvertible("not-an-object", f"one of its tools is {bare!r:.60}")
    kind = str(bare.get("type", "function"))
    if isinstance(bare.get(kind), Mapping):
        return bare
    return {"type": kind, kind: {key: value for key, value in bare.items() if key != "type"}}
