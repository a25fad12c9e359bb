"""`kbtools new` writes plugin packages; that they pass their own tests is shown in tests/test_third_party.py."""

import errno
import re
import tomllib
from pathlib import Path

import pytest


@pytest.mark.parametrize("kind", ["judge", "stage"])
def test_every_mark_of_the_templates_is_filled(cli, kind):
    """In paths and texts, and the names fit together."""
    done = cli("new", kind, "tile-count")
    folder = Path("kbtools-tile-count")
    assert (done.code, f"pip install -e '{folder}[test]'" in done.out) == (0, True)
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) >= 4
    for file in files:
        assert not re.search(r"@[A-Z]+@|\.tmpl", str(file) + file.read_text())
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["kbtools"] == {"tile-count": "kbtools_tile_count"}
    assert f"class TileCount(kb.{kind.capitalize()})" in (folder / "src/kbtools_tile_count/__init__.py").read_text()


def test_python_of_the_templates_is_sound(cli):
    """It compiles, whatever the name."""
    for kind in ("judge", "stage"):
        cli("new", kind, "a1-b2", "--out", kind)
        files = list(Path(kind).rglob("*.py"))
        assert len(files) >= 2  # the package and its test: a loop over nothing would prove nothing
        for file in files:
            compile(file.read_text(), file, "exec")


def test_nothing_is_overwritten(cli):
    """An existing folder is an error."""
    Path("kbtools-mine").mkdir()
    done = cli("new", "judge", "mine")
    assert (done.code, "exists already" in done.err) == (2, True)
    assert not list(Path("kbtools-mine").iterdir())


@pytest.mark.parametrize("name", ["Mine", "my_judge", "1st", "a--b", "../up", "-x-", "a b", "é", ""])
def test_names_that_would_make_no_package(cli, name):
    """Are refused before anything is written."""
    done = cli("new", "judge", "--", name)
    assert (done.code, "lower-case words joined by -" in done.err) == (2, True)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(("kind", "name"), [("stage", "filter"), ("stage", "judge"), ("judge", "model")])
def test_names_that_are_taken(cli, kind, name):
    """Two claimants of one name would be an error for every user of it."""
    assert cli("new", kind, name).code == 2


def test_a_package_is_written_whole_or_not_at_all(cli, tmp_path, monkeypatch):
    """What a full disk leaves would be in the way of the next attempt."""
    write_text = Path.write_text

    def full(self, text, **how):
        if self.name == "pyproject.toml":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_text(self, text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    done = cli("new", "stage", "mine")
    assert done.code == 3
    assert "kbtools-mine could not be written (No space left on device)" in done.err
    assert not list(tmp_path.iterdir())
