"""What only `--tier interpreter` needs is in one folder, which goes with the tier."""

from __future__ import annotations

import ast
from pathlib import Path

import kbtools_plugins.verify as package

HERE = Path(str(package.__file__)).parent
FOLDER = HERE / "interpreter"
DOOR = HERE / "tiers.py"
"""The only module that names the tier: without it and the folder, nothing of it is left."""


def _names_it(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and "interpreter" in (node.module or ""):
            return True
        if isinstance(node, ast.Import) and any("interpreter" in found.name for found in node.names):
            return True
        if isinstance(node, ast.Constant) and node.value == "interpreter":
            return True
        if isinstance(node, ast.Name | ast.Attribute) and "nterpreter" in ast.unparse(node):
            return True
    return False


def test_only_the_list_of_tiers_names_the_interpreter() -> None:
    """The folder and a line in tiers.py can be deleted in one commit."""
    outside = [path for path in HERE.rglob("*.py") if FOLDER not in path.parents]
    assert [path.relative_to(HERE) for path in outside if _names_it(path)] == [DOOR.relative_to(HERE)]
    assert any(_names_it(path) for path in FOLDER.rglob("*.py"))


def test_logic_as_a_value_is_found_in_launched_kernels_and_what_they_call() -> None:
    """`a and b` of numbers gives b in Python and a truth value in a compiled kernel."""
    from kbtools_plugins.verify.interpreter.worker.text import uses_logic_as_value

    helper, caller = "def helper(a, b):\n    return a and b\n", "def one(a):\n    return helper(a, 2)\n"
    source = helper + caller + "def two(a):\n    return a > 1 and a < 3"
    assert uses_logic_as_value(source, ["one"])
    assert not uses_logic_as_value(source, ["two"])


def test_the_interpreter_gets_tuples_for_lists_and_no_types_of_variables() -> None:
    """A list would outlive a program; a type would keep a number Python's."""
    from kbtools_plugins.verify.interpreter.worker.text import interpretable

    assert interpretable("x: tl.int32 = [1, 2]") == "x = (1, 2)"
    assert interpretable("x: tl.constexpr = 3\ny: int") == "x: tl.constexpr = 3\ny: int"
