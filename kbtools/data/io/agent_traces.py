"""Which rows are traces of agents, and how these are read: what is nested in them stays JSON text.

Arguments of tools, data of tasks and metadata have other keys in every row. Given one type for the whole file they
would all have each other's keys, and a null that was written could not be told from a key that was not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

_SIGNATURES = (
    frozenset({"id", "task", "nodes"}),
    frozenset({"id", "task", "traces"}),
    frozenset({"trace_id", "branch_index", "messages"}),
    frozenset({"schema_version", "agent", "steps"}),
)
"""Keys of a trace and of an episode of verifiers, of a branch as prime-rl converts it, of a trajectory (ATIF)."""
_LARGEST = 1 << 63


def is_trace(keys: Iterable[str]) -> bool:
    """Whether a row with these keys is a trace; a file is read as its first row says."""
    return any(signature <= set(keys) for signature in _SIGNATURES)


def as_text(row: dict[str, object]) -> dict[str, object]:
    """The row with what is nested, and integers that no column holds, as JSON text."""
    return {name: json.dumps(value) if _is_odd(value) else value for name, value in row.items()}


def _is_odd(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return not -_LARGEST <= value < _LARGEST
    return isinstance(value, dict | list)
