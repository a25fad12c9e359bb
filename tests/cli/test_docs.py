"""The pages made from the code are as the code would make them."""

from pathlib import Path

import pytest

from kbtools.cli import docs
from kbtools.errors import UsageError
from kbtools.plugins import registry

FOLDER = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["stages.md", "cli.md"])
def test_page_is_up_to_date(name):
    """Otherwise: python -m kbtools.cli.docs."""
    assert (FOLDER / name).read_text(encoding="utf-8") == docs.pages()[name], "run: python -m kbtools.cli.docs"


def test_every_stage_judge_and_command_has_its_place():
    """Those of every built-in plugin, with no list to be kept."""
    pages = docs.pages()
    for name, cls in {**registry().stages(), **registry().judges()}.items():
        assert f"\n## {name}\n" in pages["stages.md"]
        assert f"`kbtools.{cls.__name__}`" in pages["stages.md"]
    for name in registry().stages():
        assert f"\n#### kbtools apply {name}\n" in pages["cli.md"]


def test_stale_pages_are_named(tmp_path):
    """A page that is missing or differs."""
    (tmp_path / "cli.md").write_text(docs.pages()["cli.md"])
    assert docs.stale(tmp_path) == ["stages.md"]


def test_plugins_of_others_are_kept_out(install):
    """They would silently become part of the documentation of kbtools."""
    install("kb-other", "")
    with pytest.raises(UsageError, match="kb-other"):
        docs.pages()
