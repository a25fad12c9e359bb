"""Lists and objects that fit no one type are kept as JSON text, whole and said; a number among text is refused."""

from __future__ import annotations

import json
import logging

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kbtools as kb
from kbtools.data import json_columns
from kbtools.data.io import jsonl
from kbtools.data.json_columns import as_text
from kbtools.errors import DataError

PARTS = [{"role": "user", "content": [{"type": "text", "text": "a kernel"}]}, {"role": "assistant", "content": "ok"}]
WORDS = [{"role": "user", "content": "a kernel"}, {"role": "assistant", "content": "ok"}]


def _lines(path, *rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def _messages(ds) -> list[object]:
    return [json.loads(text) for text in ds["messages"]]


def test_content_that_is_text_or_parts_comes_back_whole(tmp_path, caplog):
    """In one conversation or in two, in lines and in an array; a warning names file and field."""
    rows = [{"messages": PARTS, "reward": 1.0}, {"messages": WORDS, "reward": 0.5}, {"messages": None, "reward": 0}]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    for path in (_lines(tmp_path / "x.jsonl", *rows), str(tmp_path / "x.json")):
        with caplog.at_level(logging.WARNING, "kbtools"):
            found = kb.load(path)
        assert _messages(found.select([0, 1])) == [PARTS, WORDS]
        assert found[2] == {"messages": None, "reward": 0.0}
        assert f"{path}: the values of 'messages' fit no one type" in caplog.text


def test_rows_from_the_cache_are_warned_of_again(tmp_path, caplog):
    """As by another process, and also where another file has the same content."""
    path = _lines(tmp_path / "x.jsonl", {"messages": PARTS}, {"messages": WORDS}, {"messages": "x"})
    kb.load(path)
    (tmp_path / "y.jsonl").write_bytes((tmp_path / "x.jsonl").read_bytes())
    json_columns._warn.cache_clear()
    caplog.clear()
    for name in ("x.jsonl", "y.jsonl"):
        kb.load(tmp_path / name)
        assert f"{tmp_path / name}: the values of 'messages' fit no one type" in caplog.text


def test_shapes_that_differ_far_apart_come_back_whole(tmp_path, monkeypatch):
    """Rows that were read as one type are read again as text: no key that was absent becomes null."""
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 2_000)
    more = [*PARTS, {"role": "user", "content": "again", "name": "me"}]
    rows = [{"messages": WORDS, "n": 1}] * 300 + [{"messages": more, "n": 2}] + [{"messages": WORDS, "n": 3}] * 300
    found = kb.load(_lines(tmp_path / "x.jsonl", *rows))
    assert _messages(found) == [row["messages"] for row in rows]
    assert found["n"][:] == [row["n"] for row in rows]


def test_text_among_lists_stays_as_it_is(tmp_path):
    """A prompt that is text in some rows and messages in others: only the messages are written as JSON."""
    found = kb.load(_lines(tmp_path / "x.jsonl", {"prompt": "say [1]"}, {"prompt": WORDS}, {"prompt": None}))
    assert found["prompt"][:] == ["say [1]", json.dumps(WORDS), None]


def test_files_of_one_dataset_may_differ_in_shape(tmp_path, caplog):
    """Each of them is of one type; together they are text, and a warning names each that was none."""
    _lines(tmp_path / "a.jsonl", {"messages": WORDS})
    _lines(tmp_path / "b.jsonl", {"messages": PARTS})
    _lines(tmp_path / "c.jsonl", {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]})
    with caplog.at_level(logging.WARNING, "kbtools"):
        assert _messages(kb.load(str(tmp_path / "*.jsonl")))[:2] == [WORDS, PARTS]
    assert all(
        f"{tmp_path / name}: the values of 'messages' fit no one type" in caplog.text for name in ("a.jsonl", "c.jsonl")
    )


@pytest.mark.parametrize("place", ["given", "parquet"])
def test_columns_of_json_are_columns_of_json_text(tmp_path, place):
    """As `datasets` itself reads such a file; conversations and reasoning are found in them."""
    rows = [{"messages": PARTS, "any": {"a": [1, "x"]}}, {"messages": WORDS, "any": None}]
    ds = datasets.Dataset.from_json(_lines(tmp_path / "x.jsonl", *rows))
    assert "Json" in str(ds.features)
    if place == "parquet":
        ds.to_parquet(str(tmp_path / "x.parquet"))
        ds = kb.load(str(tmp_path / "x.parquet"))
    out = kb.apply(ds, kb.Sample(first=2))
    assert _messages(out) == [PARTS, WORDS]
    assert [json.loads(text) if text else None for text in out["any"]] == [{"a": [1, "x"]}, None]
    assert kb.apply(ds, kb.ToMessages())["messages"][:] == [WORDS, WORDS]


@pytest.mark.parametrize(
    "values", [[{"a": 1}, {"a": "x"}], [[0.5], [True]], [[2**70], [0]], [{"b": 2**64}, {"b": 0.5}], [[[]], [{}]]]
)
def test_lists_and_objects_that_no_type_holds_come_back_whole(tmp_path, values):
    """Wherever within them it is that they differ."""
    found = kb.load(_lines(tmp_path / "x.jsonl", *({"a": value} for value in values)))
    assert [json.loads(text) for text in found["a"]] == values


@pytest.mark.parametrize("values", [[1, "x"], [[1], 2], [{"a": 1}, True]])
def test_numbers_beside_anything_else_are_refused(tmp_path, values):
    """A number among texts or lists is a slip."""
    with pytest.raises(DataError, match="line 2: field 'a' has values that fit no one type"):
        kb.load(_lines(tmp_path / "x.jsonl", *({"a": value} for value in values)))


def test_typed_files_of_one_dataset_are_not_made_text(tmp_path):
    """Parquet says its types: a list in one shard and text in the other is a slip."""
    datasets.Dataset.from_list([{"a": [1]}]).to_parquet(tmp_path / "a.parquet")
    datasets.Dataset.from_list([{"a": "x"}]).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="'a' is string in one and list"):
        kb.load(str(tmp_path / "*.parquet"))


JSON = st.recursive(
    st.none() | st.booleans() | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)


@given(st.lists(JSON, min_size=1, max_size=5))
def test_what_has_several_shapes_is_written_so_that_json_reads_it(values):
    """All but text, which stays what it is."""
    for value, text in zip(values, map(as_text, values), strict=True):
        assert text == value if value is None or isinstance(value, str) else json.loads(text) == value
