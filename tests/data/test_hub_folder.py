"""Folders as the Hub has them load as `datasets.load_dataset` loads them; what it takes without a word is refused."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kbtools as kb
from kbtools.errors import DataError, UsageError

CASES = Path(__file__).parents[3] / "shared" / "cases" / "outside"


def table(start, count=2):
    """Rows that say which they are."""
    return pa.table({"n": list(range(start, start + count)), "t": [f"row {i}" for i in range(start, start + count)]})


def parquet(path, start=0):
    """A parquet file of two rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(start), path)


def jsonl(path, start=0):
    """JSON lines of two rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in table(start).to_pylist()))


def csv(path, start=0):
    """A csv file of two rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("n,t\n" + "".join(f"{row['n']},{row['t']}\n" for row in table(start).to_pylist()))


def arrow(path, start=0):
    """An Arrow stream of two rows, as `datasets` writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), table(start).schema) as writer:
        writer.write_table(table(start))


LAYOUTS = {
    "shards": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
    "shards in data": ["data/train-00000-of-00001.parquet", "data/test-00000-of-00001-0123456789abcdef.parquet"],
    "own split in data": ["data/hard-00000-of-00002.parquet", "data/hard-00001-of-00002.parquet"],
    "files of splits": ["train.parquet", "validation.parquet"],
    "other words for splits": ["training.jsonl", "dev.jsonl", "eval.jsonl"],
    "split within the name": ["kernels-train.jsonl", "kernels-val.jsonl"],
    "numbered": ["train_0.csv", "train_1.csv", "test_0.csv"],
    "folders of splits": ["train/a.jsonl", "train/b.jsonl", "test/c.jsonl"],
    "names that say nothing": ["a.jsonl", "b.jsonl"],
    "one file": ["rollouts.csv"],
    "arrow streams": ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"],
    "kbtools' own": ["out-train.parquet", "out-validation.parquet", "out.parquet.lineage.json"],
}
WRITERS = {".parquet": parquet, ".jsonl": jsonl, ".csv": csv, ".arrow": arrow, ".json": lambda p, s: p.write_text("{}")}


def rows(data):
    """Rows of each split."""
    return {name: ds.to_list() for name, ds in data.items()}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_loads_as_load_dataset_loads_it(tmp_path, name):
    """The same splits, and in them the same rows in the same order."""
    for number, file in enumerate(LAYOUTS[name]):
        path = tmp_path / "d" / file
        WRITERS[path.suffix](path, 10 * number)
    found = rows(kb.load(str(tmp_path / "d")))
    (record,) = [*(tmp_path / "d").glob("*.lineage.json"), None][:1]
    if record:  # which the other one would take for rows
        record.unlink()
    assert found == rows(datasets.load_dataset(str(tmp_path / "d"), cache_dir=str(tmp_path / "cache")))


CARD = """---
configs:
- config_name: small
  data_files:
  - split: train
    path: "few/*.parquet"
- config_name: all
  default: true
  data_files:
  - split: train
    path: ["few/a.parquet", "more/b.parquet"]
  - split: held_out
    path: rest/c.parquet
---
# A card
"""


@pytest.mark.parametrize("config", [None, "small", "all"])
def test_configurations_of_the_card_are_followed(tmp_path, config):
    """The default one when none is named."""
    for number, file in enumerate(["few/a.parquet", "more/b.parquet", "rest/c.parquet"]):
        parquet(tmp_path / "d" / file, 10 * number)
    (tmp_path / "d" / "README.md").write_text(CARD)
    wanted = rows(datasets.load_dataset(str(tmp_path / "d"), config, cache_dir=str(tmp_path / "cache")))
    assert rows(kb.load(str(tmp_path / "d"), config=config)) == wanted


def test_unknown_configurations_are_named_with_those_there_are(tmp_path):
    """As an unknown split is."""
    parquet(tmp_path / "d/few/a.parquet")
    (tmp_path / "d" / "README.md").write_text(CARD)
    with pytest.raises(UsageError, match="config=.*small"):
        kb.load(str(tmp_path / "d"), config="tiny")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"], "3 shards of train, 00001 is missing"),
        (["train-00000-of-00001.parquet", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"], "out of 1"),
        (["train-00000-of-00001-aa.parquet", "train-00000-of-00001-bb.parquet"], "00000 is there more than once"),
        (["train.parquet", "others.parquet"], "others.parquet would be left out, .* of no split"),
        (["a.parquet", "b.jsonl"], "b.jsonl would be left out, being of another kind"),
        (["train.parquet", "train.csv"], "train.csv would be left out, being of another kind"),
    ],
)
def test_half_a_download_and_files_of_no_split_are_errors(tmp_path, files, message):
    """`load_dataset` gives fewer rows, or more, without a word."""
    for file in files:
        {"jsonl": jsonl, "csv": csv}.get(file.rpartition(".")[2], parquet)(tmp_path / file)
    with pytest.raises(DataError, match=message):
        kb.load(str(tmp_path))


def test_hidden_files_are_no_part_of_a_dataset(tmp_path):
    """Half-written ones among them; nor is JSON that says something else."""
    parquet(tmp_path / "other" / "train.parquet")
    parquet(tmp_path / "other" / ".half.parquet")
    (tmp_path / "other" / "stats.json").write_text('{"a": 1}')
    assert kb.load(str(tmp_path / "other"))["train"].num_rows == 2


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("configs: [", "the head between its lines of --- is not YAML"),
        ("configs:\n- config_name: default\n  data_files: no/*", "none of the files that its README.md lists"),
    ],
)
def test_a_card_that_helps_nobody_is_named(tmp_path, card, message):
    """Where it cannot be read, and where it lists what is not there."""
    jsonl(tmp_path / "train.jsonl")
    (tmp_path / "README.md").write_text(f"---\n{card}\n---\n")
    with pytest.raises(DataError, match=message):
        kb.load(str(tmp_path))


def test_shards_of_unlike_columns_are_named_with_the_difference(tmp_path):
    """Both files, and which column is too many, missing or of another type."""
    parquet(tmp_path / "train-00000-of-00002.parquet")
    second = tmp_path / "train-00001-of-00002.parquet"
    pq.write_table(table(2).rename_columns(["n", "text"]), second)
    with pytest.raises(DataError, match=r"00001.*00000.*'text' more and it lacks 't'"):
        kb.load(str(tmp_path))
    pq.write_table(table(2).set_column(1, "t", pa.array([[1], [2]])), second)
    with pytest.raises(DataError, match="'t' is list of int64 in one and string in the other"):
        kb.load(str(tmp_path))


def test_shards_that_differ_only_in_what_is_null_go_together(tmp_path):
    """A shard of nulls says no type, another order of columns is none of the rows, integers fit among floats."""
    pq.write_table(pa.table({"a": [1, 2], "b": pa.nulls(2)}), tmp_path / "train-00000-of-00002.parquet")
    pq.write_table(pa.table({"b": [{"c": "x"}], "a": [0.5]}), tmp_path / "train-00001-of-00002.parquet")
    assert kb.load(str(tmp_path))["train"].to_list() == [
        {"a": 1.0, "b": None},
        {"a": 2.0, "b": None},
        {"a": 0.5, "b": {"c": "x"}},
    ]


def test_a_pattern_gives_the_files_that_match(tmp_path, monkeypatch):
    """In the order of their names, as one dataset without splits: nothing is left out."""
    for number, name in enumerate(["train.jsonl", "others.jsonl"]):
        jsonl(tmp_path / name, 10 * number)
    monkeypatch.chdir(tmp_path)
    assert kb.load("*.jsonl")["n"][:] == [10, 11, 0, 1]
    with pytest.raises(UsageError, match="no file matches"):
        kb.load("*.csv")


def test_a_folder_without_data_and_one_of_another_kind_say_what_is_read(tmp_path):
    """Texts and pictures are not rows of kbtools."""
    with pytest.raises(DataError, match=r"kbtools reads \.parquet"):
        kb.load(str(tmp_path))
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(DataError, match="files of the kind text"):
        kb.load(str(tmp_path))


def test_options_of_reading_that_the_card_asks_for_are_not_passed_over(tmp_path):
    """They would give other rows."""
    csv(tmp_path / "rows.csv")
    card = "---\nconfigs:\n- config_name: default\n  data_files: rows.csv\n  skiprows: 1\n---\n"
    (tmp_path / "README.md").write_text(card)
    with pytest.raises(DataError, match="skiprows = 1"):
        kb.load(str(tmp_path))


def test_case_03_shards_are_one_split():
    """As it came from outside: two shards of a download."""
    folder = CASES / "03-shards-become-splits" / "sh2"
    if not folder.is_dir():
        pytest.skip("../shared/cases is not beside this checkout")
    assert {name: ds.num_rows for name, ds in kb.load(str(folder)).items()} == {"train": 3}
