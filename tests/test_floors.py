"""The floors of the house: imports go only downward, and heavy libraries are imported where they are used."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kbtools.plugins import registry
from tests.sources import trees

FLOORS = (
    "errors",
    "wording",
    "private_text",
    "feedback",
    "engines",
    "verify_client",
    "data",
    "figures",
    "paths",
    "serving",
    "prompts",
    "plugins",
    "rollouts",
    "spelling",
    "fields",
    "result",
    "stage",
    "failed_rows",
    "calls",
    "judge",
    "models",
    "llm",
    "lineage",
    "shards",
    "card",
    "publish",
    "pipeline",
    "report",
    "labelling",
    "testing",
    "cli",
    "__main__",
)
"""From the bottom to the top; docs/architecture.md says what is on each."""

ABOVE_PLUGINS = ("kbtools.cli", "kbtools.pipeline", "kbtools.plugins", "kbtools.report", "kbtools.testing")
"""What a built-in plugin must not know: it uses what every plugin may use."""

HEAVY = {"datasets", "torch", "triton", "transformers", "openai", "vllm", "polars", "pyarrow"}
MAY_BE_HEAVY = {
    "plugins/kbtools_plugins/verify/worker/": "imported by the processes that run kernels",
    "plugins/kbtools_plugins/verify/interpreter/worker/": "likewise",
}
"""Modules and folders that may import heavy libraries at module scope, and why. What `kbtools --help` and the listing
of stages really import is checked in tests/cli/test_start.py."""

DOORS = {
    "kbtools/cli/commands/verify.py": "the command is written beside the verification that it explains",
    "kbtools/cli/commands/serve_verify.py": "likewise",
    "kbtools/cli/commands/doctor.py": "it says on which machine kernels are executed",
}
"""Modules of the core that may name a built-in plugin, and why."""

FRONT_DOOR = {
    "kbtools/stage.py": "a call of a stage is kb.apply, so that there is one way to run it",
    "recipes/sample/build.py": "a script that has the sample's rewards verified, as everybody would",
}
"""Modules of the core that may import `kbtools` itself, behind which are all floors, and why."""


STATEMENTS = ("body", "orelse", "handlers", "finalbody", "cases")
"""Where statements hold further statements; an import is nowhere else."""


def imports(tree: ast.Module, path: str = "", *, everywhere: bool) -> Iterator[tuple[int, str]]:
    """Line and full name of what a module imports when it runs; inside functions only with `everywhere`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and for_checkers(node.test):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{origin(node, path)}.{name.name}") for name in node.names)
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting.extend(child for field in STATEMENTS for child in getattr(node, field, ()))


def for_checkers(test: ast.expr) -> bool:
    """Whether a condition speaks of TYPE_CHECKING."""
    return any(getattr(node, "id", getattr(node, "attr", None)) == "TYPE_CHECKING" for node in ast.walk(test))


def origin(node: ast.ImportFrom, path: str) -> str:
    """Full name of the module that a `from` import reads, relative ones too."""
    if not node.level:
        return node.module or ""
    package = path.removeprefix("plugins/").split("/")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def floor(module: str) -> int | None:
    """Height of a module of kbtools; None for the package itself, which imports on demand."""
    name = module.split(".")[1] if "." in module else ""
    return FLOORS.index(name) if name in FLOORS else None


def core() -> dict[str, ast.Module]:
    """All modules of kbtools by path."""
    return trees("kbtools")


def plugins() -> dict[str, ast.Module]:
    """All modules of the built-in plugins by path."""
    return trees("plugins/kbtools_plugins")


@cache
def named(path: str) -> list[tuple[int, str]]:
    """Line and name of all that a module imports, inside functions too."""
    return list(imports({**core(), **plugins()}[path], path, everywhere=True))


def test_every_module_has_a_floor():
    """A new module or package at the top of kbtools is given its place here and in docs/architecture.md."""
    names = {Path(path).parts[1].removesuffix(".py") for path in core()} - {"__init__"}
    assert names <= set(FLOORS)


def test_imports_go_only_downward():
    """Also those inside functions; only what type checkers alone read is exempt."""
    wrong = []
    for path in core().keys() - {"kbtools/__init__.py"}:
        own = floor(path.removesuffix(".py").replace("/", "."))
        assert own is not None
        wrong += [
            f"{path}:{line} imports {name}"
            for line, name in named(path)
            if (name == "kbtools" and path not in FRONT_DOOR)
            or (name.startswith("kbtools.") and (height := floor(name)) is not None and height > own)
            or (name.startswith("kbtools_plugins") and path not in DOORS)
        ]
    assert not wrong


def test_builtin_plugins_use_what_every_plugin_may_use():
    """Nothing of the floors above them, and nothing private."""
    wrong = [
        f"{path}:{line} imports {name}"
        for path in plugins()
        for line, name in named(path)
        if name.startswith("kbtools.") and (name.startswith(ABOVE_PLUGINS) or "._" in name)
    ]
    assert not wrong


def test_stages_know_nothing_of_each_other():
    """No module imports one that defines a stage or judge, except within one folder of its own."""
    known = {cls.__module__ for cls in (*registry().stages().values(), *registry().judges().values())}
    wrong = []
    for path in plugins().keys() - {"plugins/kbtools_plugins/__init__.py"}:
        own = path.removeprefix("plugins/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        family = ".".join(own.split(".")[:2])
        others = tuple(f"{module}." for module in known if not f"{module}.".startswith(f"{family}."))
        wrong += [
            f"{path}:{line} imports {name}"
            for line, name in named(path)
            if name.startswith("kbtools_plugins.") and f"{name}.".startswith(others)
        ]
    assert not wrong


def test_heavy_libraries_are_imported_where_they_are_used():
    """Starting must cost nothing: inside functions, or in the folders that say why not."""
    wrong = [
        f"{path}:{line} imports {name}"
        for path, tree in {**core(), **plugins()}.items()
        if not path.startswith(tuple(MAY_BE_HEAVY))
        for line, name in imports(tree, path, everywhere=False)
        if name.partition(".")[0] in HEAVY
    ]
    assert not wrong


VERIFY = "kbtools_plugins.verify"
WORKERS = ("/verify/worker/", "/verify/interpreter/worker/")
WORKER_MAY = (
    f"{VERIFY}.worker", f"{VERIFY}.protocol", f"{VERIFY}.host.sandbox", f"{VERIFY}.tiers", f"{VERIFY}.interpreter",
    "kbtools_plugins.ptx",
)  # fmt: skip
READER_MAY = (*WORKER_MAY, f"{VERIFY}.candidate")


def test_processes_of_verify_share_messages_only():
    """Only workers import a worker's code, torch or triton; they import messages, the sandbox and the PTX machine.

    The one that reads texts imports what reads them; the caller does so nowhere.
    """
    wrong = []
    for path in (path for path in plugins() if "/verify/" in path):
        names = [name for _, name in named(path)]
        if any(folder in path for folder in WORKERS):
            allowed = READER_MAY if path.endswith(("worker/read.py", "worker/sizes.py")) else WORKER_MAY
            odd = [name for name in names if name.startswith("kbtools") and not name.startswith(allowed)]
        else:
            odd = [
                name
                for name in names
                if f"{name}.".startswith((f"{VERIFY}.worker.", f"{VERIFY}.interpreter.worker.", "torch.", "triton."))
            ]
        wrong += [f"{path} imports {name}" for name in odd]
    assert not wrong


def test_the_check_itself_sees_what_it_should():
    """Conditional, nested and aliased imports are seen; those for type checkers are not."""
    tree = ast.parse(
        "import a\nfrom b import c\nif TYPE_CHECKING:\n    import d\nelse:\n    import e\n"
        "from ..m import n\nfrom . import o\ntry:\n    import f.g as h\nexcept ImportError:\n    pass\n"
        "def i():\n    import j\nclass K:\n    import l\n"
    )
    assert {name for _, name in imports(tree, "x/y/z.py", everywhere=False)} == {
        "a",
        "b.c",
        "e",
        "x.m.n",
        "x.y.o",
        "f.g",
        "l",
    }
    assert {name for _, name in imports(tree, "x/y/z.py", everywhere=True)} >= {"a", "j", "l"}
