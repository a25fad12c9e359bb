"""What `kb.` holds: the built-in classes, seen by type checkers, and those of plugins where one alone has the name."""

import ast
import importlib
import importlib.util
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kbtools as kb
from kbtools.plugins import registry

ROOT = Path(__file__).parents[1]
THEIRS = """
from typing import ClassVar
import kbtools as kb

class {name}(kb.Stage):
    '''Something else.'''
    name: ClassVar[str] = "{word}"
    scope: ClassVar[kb.stage.Scope] = "row"
    def transform(self, ds):
        return kb.Result(ds)

@kb.hookimpl
def register_stages():
    return [{name}]
"""


def imported_for_checkers(package: str) -> dict[str, str]:
    """Name and module of every class or function that checkers see in a package, but those of modules in `kb.`."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        name.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if node.module != "kbtools"
    }


@pytest.mark.parametrize("package", ["kbtools", "kbtools.pipeline", "kbtools.publish", "kbtools.shards"])
def test_checkers_and_programs_see_the_same_names(package):
    """The imports for checkers are the modules from which names really come; all others are none."""
    module = importlib.import_module(package)
    seen = imported_for_checkers(package)
    assert seen == {name: importlib.util.resolve_name(home, package) for name, home in module._HOME.items()}
    assert all(getattr(module, name) is getattr(importlib.import_module(home), name) for name, home in seen.items())
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018  # that it raises is what is tested


def test_every_built_in_class_is_named():
    """A new stage or judge of the built-in plugin is added to `kbtools/__init__.py`."""
    (ours,) = (plugin for plugin in registry().plugins if plugin.module == "kbtools_plugins")
    for offer in (*ours.stages, *ours.judges):
        cls = offer.get()
        assert offer.name == cls.registered_name()
        assert getattr(kb, cls.__name__) is cls
        assert kb._HOME[cls.__name__]


def test_dir_is_what_is_there_to_use():
    """TAB shows every stage and judge and nothing that the module only needs itself."""
    for name in dir(kb):
        assert getattr(kb, name) is not None
    assert {offer.python for plugin in registry().plugins for offer in (*plugin.stages, *plugin.judges)} <= set(dir(kb))
    assert not {"TYPE_CHECKING", "Any", "annotations", "importlib"} & set(dir(kb))


def run(code: str) -> str:
    """What a process prints last, in which the plugins of this test are installed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nobody_takes_the_place_of_another(install, tmp_path):
    """A built-in class stays what it is; two plugins of one class name are an error that names both."""
    install("kb-a", THEIRS.format(name="Dedup", word="dedup-mine"))
    install("kb-b", THEIRS.format(name="Tag", word="tag-b"))
    install("kb-c", THEIRS.format(name="Tag", word="tag-c"))
    install("kb-d", THEIRS.format(name="Only", word="only"))
    assert kb.Dedup.__module__ == "kbtools_plugins.dedup"
    assert kb.Only.name == "only"
    with pytest.raises(AttributeError, match=r"kbtools.Tag could be \w+.Tag and \w+.Tag: import the one"):
        kb.Tag  # noqa: B018  # that it raises is what is tested


WRONG = """
import kbtools as kb

kb.Filter(wher="reward > 1")
kb.NoSuchStage()
kb.StaticJudge(prefx="a")
kb.Dedup(key=3)
kb.ModelJudge(rubric="style", max_in_flight=2)
kb.PanelJudge(models=("a", "b"))
kb.Judge(judge="static", prefix="a_")
"""
REPORTED = {4, 5, 6, 7}
"""Lines of it that a checker reports."""


UNTYPED = "[mypy]\n[mypy-pyarrow.*,datasets.*]\nignore_missing_imports = True\n"


def programs_of_the_docs() -> dict[str, str]:
    """Every Python block of README.md and the docs, by its title as a module or by page and number."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = {}
    for page in pages:
        blocks = re.findall(r'^```python(?: title="(\S+)")?\n(.*?)^```$', page.read_text(), re.DOTALL | re.MULTILINE)
        for number, (title, block) in enumerate(blocks, start=1):
            module = title.removesuffix("/__init__.py").removesuffix(".py")
            found[module or f"{page.stem.lower()}_{number}"] = block
    return found


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The blocks as files, and one that is wrong in known lines."""
    folder = tmp_path_factory.mktemp("programs")
    for name, text in programs_of_the_docs().items():
        (folder / f"{name}.py").write_text(text)
    (folder / "wrong.py").write_text(WRONG)
    (folder / "mypy.ini").write_text(UNTYPED)
    return folder


def assert_reported(lines: list[str]) -> None:
    """Errors in the wrong lines and in no program of the docs."""
    errors = [line for line in lines if re.search(r"\.py:\d+.*error", line)]
    of_docs = [line for line in errors if "wrong.py" not in line and "pyarrow" not in line]  # pyarrow has no types
    assert not of_docs
    assert {int(re.search(r"wrong\.py:(\d+)", line)[1]) for line in errors if "wrong.py" in line} == REPORTED


@pytest.mark.slow
def test_mypy_sees_the_stages_and_the_examples_of_the_docs(programs, tmp_path):
    """A wrong field and an unknown stage are errors, and what the docs show is none."""
    words = ["--strict", "--config-file", str(programs / "mypy.ini"), "--cache-dir", str(tmp_path)]
    words += ["--disable-error-code", "no-untyped-def", "--disable-error-code", "no-untyped-call"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, *map(str, sorted(programs.glob("*.py")))],
        capture_output=True, text=True, check=False, cwd=programs,
    )  # fmt: skip
    assert_reported(done.stdout.splitlines())


@pytest.mark.slow
def test_pyright_sees_the_stages_and_the_examples_of_the_docs(programs):
    """As mypy does."""
    pytest.importorskip("pyright")
    # fields of a frozen model may have narrower types than those of their base
    (programs / "pyrightconfig.json").write_text('{"reportIncompatibleVariableOverride": false}')
    words = ["--pythonpath", sys.executable, "--project", str(programs)]
    done = subprocess.run([sys.executable, "-m", "pyright", *words], capture_output=True, text=True, check=False)
    assert_reported(done.stdout.splitlines())


def test_a_judge_is_of_its_class_however_it_is_made():
    """By call, from plain data, as a changed copy or from a pickle; the prompt is that of the fields."""
    made = kb.Judge.model_validate({"judge": "model", "rubric": "difficulty"})
    assert type(made) is kb.ModelJudge
    assert type(kb.Judge.model_validate_json('{"judge": "static"}')) is kb.StaticJudge
    assert type(kb.Judge(judge="static")) is kb.StaticJudge
    assert list(made.prompts()) == ["difficulty@v2"]
    style = made.model_copy(update={"rubric": "style"})
    assert [name.partition("@")[0] for name in style.prompts()] == ["style"]
    assert style.fields().keys() == kb.ModelJudge(rubric="style").fields().keys()
    assert type(made.model_copy(update={"judge": "panel", "models": ("a:b", "c:d")})) is kb.PanelJudge
    again = pickle.loads(pickle.dumps(style))
    assert (type(again), again, again.prompts()) == (kb.ModelJudge, style, style.prompts())


def test_a_changed_copy_is_checked_like_a_new_stage():
    """pydantic's own copy would take any value."""
    assert kb.Filter(where="a > 1").model_copy(update={"where": "b > 1"}) == kb.Filter(where="b > 1")
    for stage, update in ((kb.Filter(where="a > 1"), {"wher": "x"}), (kb.StaticJudge(), {"prefix": 3})):
        with pytest.raises(ValueError, match="validation error"):
            stage.model_copy(update=update)
