"""Rows packed for the browser: unpacked again they are the rows of the dataset."""

import base64
import json
import math
import zlib

import datasets
from hypothesis import given
from hypothesis import strategies as st

from kbtools.report.columns import small_columns
from kbtools.report.packing import SpecialColumns, pack, packed, plain
from tests.report.material import ATTACKS, hostile, judged


def unpack(text):
    return json.loads(zlib.decompress(base64.b64decode(text)))


def packed_rows(ds, key=""):
    done = pack([ds], small_columns(ds), [], SpecialColumns.of(ds.features, {}), key)
    return unpack(done.index), [row for chunk in done.chunks for row in unpack(chunk)], done


def test_rows_come_back_in_order():
    """Whole, with the answer found in the assistant's turn."""
    ds = judged(30)
    index, rows, _ = packed_rows(ds)
    assert index["rows"] == 30
    assert [row["row"]["example_id"] for row in rows] == ds["example_id"][:]
    assert rows[3]["completion"] == ds[3]["completion"]
    assert rows[3]["prompt"] == ds[3]["prompt"]
    assert rows[3]["answers"] == [{"text": "\n```python\nimport triton  # row 3\n```\n"}]


def test_chunks_begin_where_the_index_says(monkeypatch):
    """A browser finds the chunk of a row by the first rows."""
    monkeypatch.setattr("kbtools.report.packing._CHUNK_CHARACTERS", 2_000)
    index, _, done = packed_rows(judged(30))
    sizes = [len(unpack(chunk)) for chunk in done.chunks]
    assert len(sizes) > 3
    assert index["chunks"] == [sum(sizes[:place]) for place in range(len(sizes))]


def test_answer_that_cannot_be_told_is_a_counted_trouble():
    """With its kind; the text is there all the same."""
    content = [[{"role": "assistant", "content": text}] for text in ("<think>never closed", "fine", "")]
    _, rows, done = packed_rows(datasets.Dataset.from_dict({"completion": content}))
    assert [row["answers"][0] for row in rows] == [
        {"trouble": "unclosed-think"},
        {"text": "fine"},
        {"trouble": "empty-answer"},
    ]
    assert done.tally.troubles == {"unclosed-think": [0], "empty-answer": [2]}


def test_conversations_in_any_form_are_messages():
    """As JSON, as plain text, as null, as something else."""
    values = [json.dumps([{"role": "user", "content": "hi"}]), "plain", None, '[{"role": broken']
    _, rows, _ = packed_rows(datasets.Dataset.from_dict({"completion": values}))
    assert [row["completion"] for row in rows] == [
        [{"role": "user", "content": "hi"}],
        [{"role": "assistant", "content": "plain"}],
        [],
        [{"role": "assistant", "content": '[{"role": broken'}],
    ]


def test_lengths_are_counted_on_the_way():
    """Characters of code and conversations, NaN where there is none."""
    ds = datasets.Dataset.from_dict({"python_code": ["abc", None], "completion": ["four", None]})
    lengths = packed_rows(ds)[2].tally.lengths
    assert lengths["PyTorch code"][0] == 3
    assert lengths["completion"][0] == 4
    assert math.isnan(lengths["PyTorch code"][1])
    assert math.isnan(lengths["completion"][1])


def test_numbers_that_json_cannot_carry():
    """Infinity by its name, NaN as no value in the index; exact texts in the row."""
    ds = datasets.Dataset.from_dict({"x": [math.inf, -math.inf, math.nan, 0.5]})
    index, rows, _ = packed_rows(ds)
    assert index["columns"][0]["values"] == ["Infinity", "-Infinity", None, 0.5]
    assert [row["row"]["x"] for row in rows] == ["inf", "-inf", "nan", 0.5]
    assert plain({"id": 2**60, "raw": b"\x00\x01", "ok": True}) == {"id": str(2**60), "raw": "(2 bytes)", "ok": True}


@given(st.text())
def test_packed_text_holds_no_markup(text):
    """Whatever goes in, only letters of base64 come out, and unpack to the same."""
    done = packed(json.dumps(text))
    assert set(done) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    assert unpack(done) == text


def test_hostile_rows_survive():
    """Names and values come back as they were."""
    _, rows, _ = packed_rows(hostile())
    assert [row["row"]["<img src=x onerror=alert(1)>"] for row in rows] == [a.replace("\n", "") for a in ATTACKS]
