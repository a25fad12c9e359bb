"""Objects without a field in any row are text in parquet, and stay what they are everywhere else."""

import json

import datasets
import pytest

import kbtools as kb
from kbtools.data.hollow import for_parquet
from tests.rows import evals

ROWS = [
    {
        "id": 0,
        "info": {},
        "messages": [{"role": "user", "content": "a", "extra": {}}, {"role": "user", "content": "b"}],
    },
    {"id": 1, "info": None, "messages": None},
]


@pytest.fixture
def hollow(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return kb.load(path)


def test_parquet_keeps_them_as_json_text(hollow, tmp_path, caplog):
    """Wherever they are, with a warning; null stays null."""
    kb.save(hollow, tmp_path / "out.parquet")
    assert "'info', 'messages': objects without a field are saved as JSON text" in caplog.text
    first, second = kb.load(tmp_path / "out.parquet").to_list()
    assert first["info"] == "{}"
    assert [message["extra"] for message in first["messages"]] == ["{}", None]
    assert second == ROWS[1]
    assert datasets.load_dataset("parquet", data_files=str(tmp_path / "out.parquet"), split="train")[0] == first


def test_a_view_and_several_splits_are_saved_alike(hollow, tmp_path):
    splits = datasets.DatasetDict(train=hollow.select([1, 0]), test=hollow)
    kb.save(splits, tmp_path / "out.parquet")
    assert kb.load(tmp_path / "out.parquet")["train"]["info"][:] == [None, "{}"]


def test_lines_keep_them_as_objects(hollow, tmp_path, caplog):
    kb.save(hollow, tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text().partition("\n")[0])["info"] == {}
    assert not caplog.records


def test_rows_without_them_are_not_copied():
    ds = evals([1.0])
    assert for_parquet(ds) is ds
