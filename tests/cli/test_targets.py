"""Names that a run must not write to: nothing that is read, and nothing that could not be read again."""

import shutil
from pathlib import Path

import datasets
import pytest

import kbtools as kb
from tests.rows import evals

KEEP_ALL = ("filter", "--where", "reward >= 0")


def content(path):
    """Every file below a path, with its bytes."""
    return {file: file.read_bytes() for file in [path, *path.rglob("*")] if file.is_file()}


def test_a_split_is_not_written_over_the_file_it_is_made_from(cli, tmp_path):
    """NAME.parquet of several splits is written to NAME-train.parquet."""
    kb.save(evals([0.1, 0.2, 0.3]), tmp_path / "x-train.parquet")
    before = content(tmp_path)
    done = cli("apply", "split", "--dataset", "x-train.parquet", "--out", "x.parquet")
    assert (done.code, content(tmp_path)) == (2, before)
    assert "x.parquet: the dataset is read from there" in done.err
    assert cli("apply", *KEEP_ALL, "--dataset", "x-train.parquet", "--out", "x.parquet").code == 0


@pytest.mark.parametrize("out", ["x.parquet", "x-train.parquet"])
def test_splits_are_not_written_over_themselves(cli, tmp_path, out):
    """A name that stands for several files stands for each of them."""
    kb.save(datasets.DatasetDict(train=evals([0.1]), validation=evals([0.2])), tmp_path / "x.parquet")
    before = content(tmp_path)
    done = cli("apply", *KEEP_ALL, "--dataset", "x.parquet", "--out", out)
    assert (done.code, content(tmp_path)) == (2, before)


def test_a_folder_that_holds_the_dataset_is_not_replaced(cli, tmp_path):
    """A split of a saved dataset is one, too."""
    kb.save(datasets.DatasetDict(train=evals([0.1])), tmp_path / "data")
    before = content(tmp_path)
    done = cli("apply", *KEEP_ALL, "--dataset", "data/train", "--out", "data")
    assert (done.code, content(tmp_path)) == (2, before)
    assert "data: the dataset is read from there" in done.err


@pytest.mark.parametrize("name", ["rows.jsonl", "new.parquet", "recipe"])
def test_a_recipe_is_a_toml_file(cli, file, name):
    """So it is neither written over the dataset or the result, nor under a name that `kbtools run` would not read."""
    before = file.read_bytes()
    done = cli("apply", *KEEP_ALL, "--dataset", file, "--save-recipe", name, "--out", "new.parquet")
    assert (done.code, file.read_bytes()) == (2, before)
    assert "the name of a recipe ends in .toml" in done.err


def test_this_folder_is_no_name_for_a_result(cli, file, tmp_path, monkeypatch):
    """Not even when it is empty."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    done = cli("apply", *KEEP_ALL, "--dataset", file, "--out", ".")
    assert done.code == 2
    assert "give the name of one in it" in done.err


def test_limits_below_zero_are_refused(cli, file):
    """They would have meant no rows at all."""
    recipe = file.with_name("r.toml")
    recipe.write_text(f'[source]\ndataset = "{file}"\nlimit = -1\n')
    for words in (("report", file, "--limit", "-1"), ("show", file, "-n", "-1"), ("run", recipe)):
        assert cli(*words).code == 2
    with pytest.raises(kb.errors.UsageError, match="limit: input should be greater than or equal to 0"):
        kb.load(str(file), limit=-1)


@pytest.mark.parametrize("name", ["r.toml", "r.json", "r.parquet"])
@pytest.mark.parametrize("command", ["run", "lineage"])
def test_what_cannot_be_read_as_a_recipe_or_lineage_is_named(cli, tmp_path, command, name):
    """Missing, a folder, or no text: each is wrong usage, and no traceback."""
    path = tmp_path / name
    faults = [cli(command, name)]
    path.mkdir()
    faults.append(cli(command, name))
    shutil.rmtree(path)
    path.write_bytes(b"\xff\xfe not UTF-8")
    faults.append(cli(command, name))
    assert [(fault.code, name in fault.err) for fault in faults] == [(2, True)] * 3


def test_a_lineage_of_a_newer_version_is_not_guessed_at(cli, tmp_path):
    """Its keys may mean something else."""
    (tmp_path / "x.json").write_text('{"kbtools_lineage": 99}')
    done = cli("lineage", "x.json")
    assert done.code == 2
    assert "x.json was written by a newer kbtools (format 99" in done.err


def test_the_folder_that_one_is_in_has_no_lineage(cli):
    """`.` has no name of its own."""
    assert "has no lineage" in cli("lineage", ".").err


def test_home_is_meant_by_a_tilde(cli, file, tmp_path, monkeypatch):
    """Where the shell did not replace it, as after `--out=`."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    done = cli(
        "apply", *KEEP_ALL, "--dataset", file, "--out=~/x.parquet", "--dropped=~/y.jsonl", "--save-recipe=~/r.toml"
    )
    assert done.code == 0
    names = {path.name for path in (tmp_path / "home").iterdir()}
    assert names - {".cache"} == {"x.parquet", "x.parquet.lineage.json", "y.jsonl", "y.jsonl.lineage.json", "r.toml"}
    assert not (tmp_path / "~").exists()


def test_home_is_meant_by_a_tilde_in_every_command(cli, file, tmp_path, monkeypatch):
    """Folders and files that are read or written, options and arguments."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    assert cli("apply", *KEEP_ALL, "--dataset", file, "--out=~/x.parquet").code == 0
    assert cli("new", "judge", "brevity", "--out=~/made").code == 0
    assert cli("lineage", "~/x.parquet").code == 0
    assert cli("report", "~/x.parquet", "--out=~/r.html", "--plots=~/drawn", "--resamples=0").code == 0
    assert f"no response store at {home / 's.sqlite'}" in cli("store", "--store=~/s.sqlite", "export", "~/s.jsonl").err
    assert kb.lineage.read("~/x.parquet.lineage.json") == kb.lineage.read_lineage("~/x.parquet")
    assert {path.name for path in home.iterdir()} >= {"made", "r.html", "drawn"}
    assert not (tmp_path / "~").exists()
    assert not Path("~").exists()


@pytest.mark.parametrize("option", ["--dataset", "--out", "--dropped"])
def test_a_name_that_is_no_text_is_refused(cli, file, option):
    """A lineage could not say it."""
    words = {"--dataset": str(file), "--out": "x.parquet", option: "\udcff.parquet"}
    done = cli("apply", *KEEP_ALL, *(word for pair in words.items() for word in pair))
    assert done.code == 2
    assert "is not UTF-8 text" in done.err
