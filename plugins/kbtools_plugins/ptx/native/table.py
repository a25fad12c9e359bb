"""The one table: each lane by lane instruction that exists in C beside numpy, by name."""

from __future__ import annotations

from . import float_rules, whole_rules
from .rule import Rule

TABLE: dict[str, Rule] = {**dict(whole_rules.rows()), **dict(float_rules.rows())}


def codes() -> dict[tuple[int, tuple[int, ...], str], int]:
    """The number of each operation of the interpreter: rules that are the same in C share one."""
    found: dict[tuple[int, tuple[int, ...], str], int] = {}
    for rule in TABLE.values():
        found.setdefault((rule.result, rule.sources, rule.c), len(found))
    return found


CODES = codes()


def code(name: str) -> int:
    """The number of a rule's operation."""
    rule = TABLE[name]
    return CODES[rule.result, rule.sources, rule.c]
