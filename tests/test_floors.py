"""The floors of the house: imports go only downward, and heavy libraries are imported where they are used."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbtools.plugins import registry

ROOT = Path(__file__).parents[1]
FLOORS = (
    "errors",
    "wording",
    "private_text",
    "figures",
    "notebook",
    "feedback",
    "engines",
    "verify_client",
    "data",
    "drawing",
    "paths",
    "serving",
    "prompts",
    "offers",
    "hooks",
    "plugins",
    "rollouts",
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
)
"""From the bottom to the top; docs/architecture.md says what is on each."""

ABOVE_PLUGINS = ("kbtools.cli", "kbtools.pipeline", "kbtools.plugins", "kbtools.report", "kbtools.testing")
"""What a built-in plugin must not know: it uses what every plugin may use."""

MATERIAL = "recipes/sample/modules/"
"""The sample's kernels and their references, broken ones among them: data, never imported by kbtools."""

HEAVY = {"datasets", "torch", "triton", "transformers", "openai", "vllm", "polars", "pyarrow"}
MAY_BE_HEAVY = {
    "plugins/kbtools_plugins/verify/worker/": "imported by the processes that run kernels",
}
"""Modules and folders that may import heavy libraries at module scope, and why. What `kbtools --help` and the listing
of stages really import is checked in tests/cli/test_start.py."""

DOORS = {
    "kbtools/cli/commands/verify.py": "the command is written beside the verification that it explains",
    "kbtools/cli/commands/serve_verify.py": "likewise",
}
"""Modules of the core that may name a built-in plugin, and why."""

FRONT_DOOR = {
    "kbtools/stage.py": "a call of a stage is kb.apply, so that there is one way to run it",
    "recipes/sample/build.py": "a script that has the sample's rewards verified, as everybody would",
}
"""Modules of the core that may import `kbtools` itself, behind which are all floors, and why."""


def modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    """Path below the repository and syntax tree of every module."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        path = file.relative_to(ROOT).as_posix()
        if not path.startswith(MATERIAL):
            yield path, ast.parse(file.read_text(encoding="utf-8"))


def imports(tree: ast.Module, path: str = "", *, everywhere: bool) -> Iterator[tuple[int, str]]:
    """Line and full name of what a module imports when it runs; inside functions only with `everywhere`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{origin(node, path)}.{name.name}") for name in node.names)
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


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


CORE = dict(modules("kbtools"))
PLUGINS = dict(modules("plugins/kbtools_plugins"))


def test_every_module_has_a_floor():
    """A new module or package at the top of kbtools is given its place here and in docs/architecture.md."""
    names = {Path(path).parts[1].removesuffix(".py") for path in CORE} - {"__init__"}
    assert names <= set(FLOORS)


@pytest.mark.parametrize("path", [path for path in CORE if path != "kbtools/__init__.py"])
def test_imports_go_only_downward(path):
    """Also those inside functions; only what type checkers alone read is exempt."""
    own = floor(path.removesuffix(".py").replace("/", "."))
    assert own is not None
    upward = [
        f"{path}:{line} imports {name}"
        for line, name in imports(CORE[path], path, everywhere=True)
        if (name == "kbtools" and path not in FRONT_DOOR)
        or (name.startswith("kbtools.") and (height := floor(name)) is not None and height > own)
    ]
    assert not upward
    if path not in DOORS:
        assert not [
            name for _, name in imports(CORE[path], path, everywhere=True) if name.startswith("kbtools_plugins")
        ]


@pytest.mark.parametrize("path", PLUGINS)
def test_builtin_plugins_use_what_every_plugin_may_use(path):
    """Nothing of the floors above them, and nothing private."""
    wrong = [
        f"{path}:{line} imports {name}"
        for line, name in imports(PLUGINS[path], path, everywhere=True)
        if name.startswith("kbtools.") and (name.startswith(ABOVE_PLUGINS) or "._" in name)
    ]
    assert not wrong


@pytest.mark.parametrize("path", [path for path in PLUGINS if path != "plugins/kbtools_plugins/__init__.py"])
def test_stages_know_nothing_of_each_other(path):
    """No module imports one that defines a stage or judge, except within one folder of its own."""
    own = path.removeprefix("plugins/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    family = ".".join(own.split(".")[:2])
    known = {cls.__module__ for cls in (*registry().stages().values(), *registry().judges().values())}
    others = tuple(module for module in known if not f"{module}.".startswith(f"{family}."))
    wrong = [
        f"{path}:{line} imports {name}"
        for line, name in imports(PLUGINS[path], path, everywhere=True)
        if name.startswith("kbtools_plugins.") and f"{name}.".startswith(tuple(f"{module}." for module in others))
    ]
    assert not wrong


@pytest.mark.parametrize("path", [path for path in (*CORE, *PLUGINS) if not path.startswith(tuple(MAY_BE_HEAVY))])
def test_heavy_libraries_are_imported_where_they_are_used(path):
    """Starting must cost nothing: inside functions, or in the folders that say why not."""
    found = {name.partition(".")[0] for _, name in imports({**CORE, **PLUGINS}[path], path, everywhere=False)}
    assert not found & HEAVY


VERIFY = "kbtools_plugins.verify"
WORKER_MAY = (f"{VERIFY}.worker", f"{VERIFY}.protocol", f"{VERIFY}.host.sandbox", "kbtools_plugins.ptx")
READER_MAY = (*WORKER_MAY, f"{VERIFY}.candidate")


@pytest.mark.parametrize("path", [path for path in PLUGINS if "/verify/" in path])
def test_processes_of_verify_share_messages_only(path):
    """Only workers import a worker's code, torch or triton; they import messages, the sandbox and the PTX machine.

    The one that reads texts imports what reads them; the caller does so nowhere.
    """
    named = [name for _, name in imports(PLUGINS[path], path, everywhere=True)]
    if "/verify/worker/" in path:
        allowed = READER_MAY if path.endswith(("worker/read.py", "worker/sizes.py")) else WORKER_MAY
        wrong = [name for name in named if name.startswith("kbtools") and not name.startswith(allowed)]
    else:
        wrong = [name for name in named if f"{name}.".startswith((f"{VERIFY}.worker.", "torch.", "triton."))]
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
