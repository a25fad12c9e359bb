"""What to write instead of an expression that is none: what people bring from Python, SQL, pandas and C."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable

_MARKS = {
    r"&&": "Write `and` for &&.",
    r"\|\|": "Write `or` for ||.",
    r"===": "Equality is written ==.",
    r"<>": "Write != for <>.",
    r"`": "A column whose name is no plain word is written col('its name').",
    r"\b(AND|OR|NOT|IN|IS|NULL)\b": "Write `and`, `or`, `not`, `in` and `is null` in small letters.",
    r"(?i)\b(i?like|similar to)\b": "Write contains(), startswith(), endswith() or matches() instead of `like`.",
    r"(?<![=!<>])=(?!=)": "Equality is written ==.",
}
DEEPEST = 200
"""Levels of operators in an expression; Python's own limit depends on its version."""


def hint(text: str, columns: Iterable[str]) -> str:
    """The advice, with a blank in front; nothing where nobody can tell what is meant."""
    words = {word for word in re.findall(r"\w+", text) if keyword.iskeyword(word)}
    if named := next((name for name in columns if name in words), None):
        return f" The column {named!r} is written col({named!r})."
    return next((f" {said}" for mark, said in _MARKS.items() if re.search(mark, text)), "")


def is_deep(tree: ast.AST) -> bool:
    """Whether an expression has more levels of operators than are followed."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [node for outer in level for node in ast.iter_child_nodes(outer)]
    return bool(level)
