"""The machine could be a package of its own."""

import ast
import sys
from pathlib import Path

import kbtools_plugins.ptx

PACKAGE = Path(kbtools_plugins.ptx.__file__).parent
ALLOWED = {"numpy", "ml_dtypes"} | set(sys.stdlib_module_names)
COMPILERS = {"libdevice.py", "compile.py"}
"""Modules that turn a kernel into PTX, and import a compiler where they do."""


def imported(file: Path) -> set[str]:
    """Packages that a module imports from elsewhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names if not name.startswith("kbtools_plugins.ptx")}


def test_it_needs_numpy_and_nothing_of_kbtools():
    """No torch, no Triton, nothing of the project around it."""
    modules = [file for file in PACKAGE.rglob("*.py") if file.name not in COMPILERS]
    assert len(modules) > 40
    assert {file.name: imported(file) - ALLOWED for file in modules if imported(file) - ALLOWED} == {}
