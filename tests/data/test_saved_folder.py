"""Saved folders: a split without rows is kept, and a damaged folder is an error that names it."""

import datasets
import pytest

import kbtools as kb
from kbtools.errors import DataError
from tests.rows import evals


def two_splits():
    """Rows in train and none in validation."""
    return datasets.DatasetDict(train=evals([1.0]), validation=evals([1.0]).select([]))


@pytest.mark.parametrize("write", [kb.save, lambda data, path: data.save_to_disk(str(path))])
def test_a_split_without_rows_loads_again(tmp_path, write):
    """Whoever wrote the folder: `datasets` writes no file for such a split."""
    write(two_splits(), tmp_path / "data")
    again = kb.load(str(tmp_path / "data"))
    assert {name: ds.num_rows for name, ds in again.items()} == {"train": 1, "validation": 0}
    assert again["validation"].features == again["train"].features


def test_what_is_written_without_rows_is_read_by_others(tmp_path):
    """`datasets.load_from_disk` takes it."""
    kb.save(two_splits(), tmp_path / "data")
    kb.save(evals([]), tmp_path / "none")
    assert datasets.load_from_disk(str(tmp_path / "data"))["validation"].num_rows == 0
    assert datasets.load_from_disk(str(tmp_path / "none")).num_rows == 0


def lose(file):
    """Delete a file."""
    file.unlink()


def cut(file):
    """Keep only the beginning of a file."""
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("damage", [lose, cut])
@pytest.mark.parametrize("name", ["data-00000-of-00001.arrow", "state.json", "dataset_info.json"])
def test_a_damaged_folder_is_an_error(tmp_path, name, damage):
    """Missing and half-written files alike."""
    kb.save(two_splits(), tmp_path / "data")
    damage(tmp_path / "data" / "train" / name)
    with pytest.raises(DataError, match="data is not a whole saved dataset .*missing or damaged"):
        kb.load(str(tmp_path / "data"))
