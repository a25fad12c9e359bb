"""What is written as JSON lines is what `json.dumps` gives of the rows, whatever they hold."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbtools.data.json_text import lines

LEAVES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(),
    pa.large_string(): st.text('a"\\\n\x00\x7f\u2028é%', max_size=5),
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.null(): st.none(),
    pa.decimal128(10, 2): st.decimals(-1000, 1000, places=2),
    pa.timestamp("us", "UTC"): st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    pa.date32(): st.dates(date(1970, 1, 1), date(2100, 1, 1)),
}


def typed(depth: int = 3) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    """A type and its values, null among them."""
    leaf = st.sampled_from([*LEAVES.items()])
    if depth == 0:
        return leaf.map(lambda pair: (pair[0], st.none() | pair[1]))
    inner = typed(depth - 1)
    lists = inner.map(lambda pair: (pa.list_(pair[0]), st.none() | st.lists(pair[1], max_size=3)))
    large = inner.map(lambda pair: (pa.large_list(pair[0]), st.none() | st.lists(pair[1], max_size=3)))
    names = st.lists(st.sampled_from(["a", "b", "100%s", 'q"', "é", ""]), unique=True, max_size=3)
    structs = st.tuples(names, st.lists(inner, min_size=3, max_size=3)).map(_struct)
    return inner | lists | large | structs


def _struct(given: tuple[list[str], list[Any]]) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    pairs = dict(zip(*given, strict=False))
    values = st.fixed_dictionaries({name: pair[1] for name, pair in pairs.items()})
    return pa.struct({name: pair[0] for name, pair in pairs.items()}), st.none() | values


KINDS = typed()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_rows_are_written_as_json_writes_them(data: st.DataObject) -> None:
    kind, values = data.draw(KINDS)
    rows = data.draw(st.lists(values, min_size=1, max_size=5))
    table = pa.table({"first": pa.array(rows, kind), "n%": list(range(len(rows)))}).slice(data.draw(st.integers(0, 2)))
    expected = [json.dumps(row, ensure_ascii=False, default=str) for row in table.to_pylist()]
    assert list(lines(table, str)) == expected


def test_rows_in_several_chunks_and_without_columns() -> None:
    table = pa.concat_tables([pa.table({"a": [1, 2]}), pa.table({"a": [3]})])
    assert list(lines(table, str)) == ['{"a": 1}', '{"a": 2}', '{"a": 3}']
    assert list(lines(table.slice(0, 0), str)) == []


def test_a_value_without_a_text_is_left_to_the_caller() -> None:
    def refused(value: object) -> str:
        raise ValueError(f"no {value!r}")

    with pytest.raises(ValueError, match="no b'x'"):
        list(lines(pa.table({"a": [[b"x"]]}), refused))
    assert list(lines(pa.table({"a": [Decimal("1.5"), None]}), str)) == ['{"a": "1.5"}', '{"a": null}']
