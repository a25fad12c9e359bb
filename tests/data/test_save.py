"""Outputs are whole or absent, their format is chosen by the name, and their lineage goes with them."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

import kbtools as kb
from kbtools.data.io import save
from kbtools.data.io.save import check_target
from kbtools.data.io.source import aside
from kbtools.errors import ConfigError, DataError, UsageError
from tests.rows import evals


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "folder"])
def test_every_format_round_trips(tmp_path, name):
    """Rows and features come back from each format."""
    ds = evals([1.0, 0.5, None])
    kb.save(ds, tmp_path / name)
    again = kb.load(str(tmp_path / name))
    assert again.to_list() == ds.to_list()
    assert again.features == ds.features


def test_splits_become_files_of_their_own_and_load_again(tmp_path):
    """NAME.parquet of two splits is two files, and NAME.parquet loads both."""
    data = datasets.DatasetDict(train=evals([1.0, 2.0]), validation=evals([3.0]))
    kb.save(data, tmp_path / "x.parquet")
    assert sorted(p.name for p in tmp_path.glob("*.parquet")) == ["x-train.parquet", "x-validation.parquet"]
    again = kb.load(str(tmp_path / "x.parquet"))
    assert {name: ds.to_list() for name, ds in again.items()} == {name: ds.to_list() for name, ds in data.items()}


def test_when_one_split_cannot_be_written_all_stay_as_they_were(tmp_path, monkeypatch):
    """Splits are written beside one another, and the others are not written to their ends."""
    data = datasets.DatasetDict({name: evals([1.0] * 50) for name in ("train", "validation", "test")})
    kb.save(data, tmp_path / "x.parquet")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    whole = save._write_parquet

    def full(ds, batches, part, embedded):
        if "validation" in part.name:
            raise OSError(28, "No space left on device")
        whole(ds, batches, part, embedded)

    monkeypatch.setattr(save, "_write_parquet", full)
    other = datasets.DatasetDict({name: evals([2.0] * 50) for name in data})
    with pytest.raises(ConfigError, match=r"No space left.*what stood there is unchanged"):
        kb.save(other, tmp_path / "x.parquet")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_other_endings_are_refused(tmp_path):
    """A name that says nothing of the format is an error."""
    with pytest.raises(UsageError, match=r"names end in \.parquet"):
        kb.save(evals([1.0]), tmp_path / "x.xlsx")


def test_parquet_metadata_keeps_features_and_lineage(tmp_path):
    """The file alone says what it is and how it was made."""
    kb.save(evals([1.0]), tmp_path / "x.parquet")
    metadata = pq.read_schema(tmp_path / "x.parquet").metadata
    assert json.loads(metadata[b"kbtools"])["kbtools_lineage"] == 1
    assert b"huggingface" in metadata


def test_equal_runs_give_equal_bytes(tmp_path):
    """Nothing in the data file tells the time."""
    for name in ("a.parquet", "b.parquet"):
        time.sleep(0.01)
        kb.save(kb.apply(evals([1.0, 0.1]), kb.Filter(where="reward > 0.5")), tmp_path / name)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_killed_run_leaves_the_old_file(tmp_path):
    """A process that is killed while it writes leaves the output of the run before."""
    kb.save(evals([7.0]), tmp_path / "x.jsonl")
    before = (tmp_path / "x.jsonl").read_bytes()
    script = textwrap.dedent(
        """
        import datasets, kbtools as kb, sys
        ds = datasets.Dataset.from_dict({"a": ["x" * 2000] * 300_000})
        print("ready", flush=True)
        kb.save(ds, sys.argv[1])
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "x.jsonl")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob(".x.jsonl*.part")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (tmp_path / "x.jsonl").read_bytes() == before
    kb.save(evals([8.0]), tmp_path / "x.jsonl")
    assert not list(tmp_path.glob(".x.jsonl*"))


def test_only_what_the_dead_were_writing_to_the_same_name_is_removed(tmp_path):
    """Whatever a living process writes stays, and so do an old folder and the parts of other names and machines."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    machine, mine = aside(tmp_path / "x").name.split(".")[2:4]
    left = [f".x.{machine}.{dead.pid}.0.part", f".x.{machine}.{dead.pid}.1.part"]
    stay = [f".x.{machine}.{mine}.0.part", f".x.{machine}.{dead.pid}.0.old", f".y.{machine}.{dead.pid}.0.part"]
    stay += [f".x.00000000.{dead.pid}.0.part", f".x.{machine}.{dead.pid}.part"]
    for name in (left[0], *stay):
        (tmp_path / name).write_text("rows")
    (tmp_path / left[1]).mkdir()
    aside(tmp_path / "x")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(stay)


def test_full_disk_is_an_error_and_leaves_no_part(tmp_path):
    """A write that fails half-way removes what it wrote."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        import datasets, kbtools as kb
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        ds = datasets.Dataset.from_dict({"a": ["x" * 1000] * 5000})
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        kb.save(ds, sys.argv[1])
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x.jsonl")], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "OSError" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_dataset_is_never_replaced(tmp_path):
    """`--out .` must not cost a user the folder's files; a saved dataset may be written over."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a saved dataset; it is not replaced"):
        kb.save(evals([1.0]), tmp_path / "work")
    assert (tmp_path / "work" / "notes.txt").read_text() == "mine"
    for rewards in ([1.0], [1.0, 2.0]):
        kb.save(evals(rewards), tmp_path / "data")
        assert kb.load(str(tmp_path / "data")).num_rows == len(rewards)


def test_a_folder_called_like_a_file_is_not_written_to(tmp_path):
    """Found before the rows are made, as is a parent that is a file."""
    (tmp_path / "x.parquet").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("x.parquet", "file/y.parquet"):
        with pytest.raises(UsageError, match="not replaced|not a folder that you may write to"):
            check_target(tmp_path / name)


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.v2.parquet"])
def test_splits_load_again_under_the_name_they_were_saved_as(tmp_path, name):
    """Whatever dots the name has; a split of JSON lines without rows has the columns of the others."""
    data = datasets.DatasetDict(train=evals([1.0, 2.0]), validation=evals([1.0]).select([]))
    kb.save(data, tmp_path / name)
    again = kb.load(str(tmp_path / name))
    assert again["train"].to_list() == data["train"].to_list()
    assert again["validation"].num_rows == 0
    assert set(again["validation"].features) == set(data["train"].features)


def test_splits_take_the_place_of_what_was_saved_without_any(tmp_path):
    """Otherwise the name would still load the rows of the run before."""
    kb.save(evals([7.0]), tmp_path / "x.parquet")
    kb.save(datasets.DatasetDict(train=evals([1.0]), validation=evals([2.0])), tmp_path / "x.parquet")
    assert set(kb.load(str(tmp_path / "x.parquet"))) == {"train", "validation"}


def test_a_split_whose_file_is_gone_is_missed(tmp_path):
    """The record beside the files says how many there were."""
    kb.save(datasets.DatasetDict(train=evals([1.0]), validation=evals([2.0])), tmp_path / "x.parquet")
    (tmp_path / "x-validation.parquet").unlink()
    with pytest.raises(DataError, match=r"train, validation, but x-validation\.parquet is not there"):
        kb.load(str(tmp_path / "x.parquet"))


@pytest.mark.parametrize("record", ["{", "5", '{"output": {"splits": 5}}', "\xff"])
def test_a_record_of_splits_that_was_edited_is_an_error(tmp_path, record):
    """It is named, and not taken for no record."""
    (tmp_path / "x.parquet.lineage.json").write_bytes(record.encode("latin-1"))
    with pytest.raises(DataError, match=r"x\.parquet\.lineage\.json"):
        kb.load(str(tmp_path / "x.parquet"))


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path, monkeypatch):
    """Interrupted between the two renamings, the old dataset is put back."""
    kb.save(evals([7.0]), tmp_path / "data")
    rename = Path.rename

    def interrupted(self, target):
        if self.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kb.save(evals([1.0, 2.0]), tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "data.lineage.json"]
    assert kb.load(str(tmp_path / "data")).num_rows == 1


def test_bytes_are_not_written_as_python_shows_them(tmp_path):
    """`b'...'` in a text would be read as that text."""
    with pytest.raises(DataError, match=r"cannot hold columns of bytes: save as \.parquet"):
        kb.save(datasets.Dataset.from_dict({"a": [b"\xff"]}), tmp_path / "x.jsonl")
    assert list(tmp_path.iterdir()) == []
