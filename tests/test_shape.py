"""The shape of the code: short modules, folders that can be overseen, types that say something."""

import ast
from collections import Counter
from pathlib import Path

from benchmarks.house import SOURCES, anys
from tests.sources import ROOT, trees

MOST_LINES = 300
MOST_MODULES = 20
MOST_ANY = 8
"""Per thousand lines."""

TEXTS = {
    file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
    for part in SOURCES
    for file in (ROOT / part).rglob("*.py")
}


def test_a_module_is_read_in_one_sitting():
    """A longer one has a seam: what is on its two sides are two modules."""
    assert [path for path, text in TEXTS.items() if text.count("\n") > MOST_LINES] == []


def test_a_folder_is_overseen():
    """A fuller one has sub-folders that its modules already form."""
    counts = Counter(Path(path).parent.as_posix() for path in TEXTS)
    assert [folder for folder, count in counts.items() if count > MOST_MODULES] == []


def test_any_is_rare():
    """Where nothing more is known of a value, `object` says so and is checked."""
    lines = sum(text.count("\n") for text in TEXTS.values())
    assert 1000 * sum(map(anys, TEXTS.values())) / lines < MOST_ANY


SHARED_NAMES = {
    "Answer": "of a model to the engine, of the verification's server to a trainer: both are used from outside",
    "Question": "to a model about a row, to the verification's server: both are used from outside",
    "Message": "of a request to a model, of a rollout in any layout: both are used from outside",
}
"""Names that two classes have, and why neither is called otherwise."""


def test_a_name_means_one_class():
    """Whoever reads `Places` or searches for it finds one thing; private classes count too."""
    classes = Counter(
        node.name
        for part in ("kbtools", "plugins/kbtools_plugins")
        for tree in trees(part).values()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, count in classes.items() if count > 1} == set(SHARED_NAMES)
