"""An argument of a launch as a compiler looks at it: equal for launches that give the same code."""

from __future__ import annotations

from collections.abc import Mapping

from kbtools_plugins.verify.protocol.wire import Tree


def compile_value(value: Tree, names: Mapping[str, str]) -> Tree:
    """A value without what is another one in each run; functions with their `names` in the clean module."""
    if not isinstance(value, dict):
        return value
    if "ref" in value:
        kept = {"dtype": value["ref"]["dtype"], "offset": value["ref"]["offset"] % 16, "shape": [1]}
        return {**value, "ref": kept}
    if "function" in value:
        return {**value, "clean_name": names.get(f"{value['function']}:{value['line']}", value["function"])}
    if "tuple" in value:
        return {"tuple": [compile_value(item, names) for item in value["tuple"]]}
    return value


def specialized(value: Tree) -> Tree:
    """Numbers that are not constants reach the compiler as a type, and whether they are 1 or a multiple of 16."""
    if isinstance(value, float):
        return 0.5
    if isinstance(value, int) and not isinstance(value, bool) and value not in (0, 1):
        wide = 0 if -(2**31) <= value < 2**31 else 2**40
        return wide + (16 if value % 16 == 0 else 3)
    return value
