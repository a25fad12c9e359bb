"""Several threads may load and save one name at once, and one content under two schemas is two datasets."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

import kbtools as kb
from kbtools.data import sample
from tests.rows import evals


def test_a_copy_of_the_sample_leaves_the_sample_as_it_is(tmp_path):
    """The sample declares its types; a copy that is read first has only those of its values."""
    shutil.copy(sample.path(), tmp_path / "copy.jsonl")
    copied, declared = kb.load(str(tmp_path / "copy.jsonl")), kb.load("sample")
    assert declared.features == kb.data.columns.evals_features()
    assert copied.features != declared.features
    assert copied._fingerprint != declared._fingerprint


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl", "folder"])
def test_threads_save_and_load_one_name(tmp_path, name):
    """The last one wins, whole, and nothing is left beside it."""
    tables = [evals([float(number)] * 3) for number in range(4)]

    def save(number: int) -> None:
        kb.save(tables[number % 4], tmp_path / name)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(16)))
        found = list(pool.map(lambda _: kb.load(str(tmp_path / name))["reward"][:], range(8)))
    assert all(len(set(rewards)) == 1 and len(rewards) == 3 for rewards in found)
    assert sorted(path.name for path in tmp_path.iterdir() if "lineage" not in path.name) == [name]


def test_a_tilde_is_the_home_folder_in_every_path(tmp_path, monkeypatch):
    """Prompts, plots, recipes and outputs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.j2").write_text(kb.prompt("style").text)
    assert kb.prompt("~/mine.j2").text == kb.prompt("style").text
    kb.save(evals([1.0, 2.0, 3.0]), "~/out.jsonl")
    assert kb.load("~/out.jsonl").num_rows == 3
    stage = '[[stages]]\nstage = "stats"\nplots = "~/plots"\n'
    (tmp_path / "r.toml").write_text(f'[source]\ndataset = "~/out.jsonl"\n{stage}')
    from kbtools.lineage import read_all
    from kbtools.pipeline import again

    (recipe,) = read_all("~/r.toml")
    again(recipe)
    assert {path.suffix for path in (tmp_path / "plots").iterdir()} == {".png", ".svg", ".json"}


def test_blame_for_a_removed_column_only_where_it_is_meant():
    """A name that only occurs in the message, or in another name, is not what is missing."""
    from tests.test_stage import AddOne, Forget

    with pytest.raises(kb.errors.SchemaError, match="no column 'task_reward'") as caught:
        kb.apply(evals([1.0]), Forget(column="task"), AddOne(column="task_reward"))
    assert "was removed" not in str(caught.value)
    with pytest.raises(kb.errors.SchemaError, match=r"\(info was removed by stage 1 \(forget\)\.\)"):
        kb.apply(evals([1.0]), Forget(column="info"), AddOne(column="info.module_name"))
