"""The fast reader of JSON lines gives what the strict one gives, or leaves the lines to it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.data.io import arrow_file, jsonl, quick_lines
from kbtools.data.io.data_file import data_file
from kbtools.data.io.local_files import _reading
from kbtools.errors import DataError

FILE = Path("x.jsonl")
TEXTS = st.text(max_size=6) | st.sampled_from(
    ["2024-01-01", "2024-01-01T00:00:00Z", "1", "true", "null", "\ud800", "\\"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("bcd"), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.dictionaries(st.sampled_from(["a", "b", "a.b", ""]), VALUES, min_size=1, max_size=3)
ODD_LINES = [
    b'{"a": 1} {"a": 2}',
    b'{"a": 1}} {"row": {"a": 2}',
    b'{"a": 1}, "row": {"a": 2}',
    b'{"a": 1}, "b": {"a": 2}',
    b'{"a": 1, "a": 2}',
    b'{"a": 1} null',
    b'{"a":',
    b"1}",
    b"null",
    b"[]",
    b"1",
    b"{}",
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1e400}',
    b'{"a": 01}',
    b'{"a": +1}',
    b'{"a": 1,}',
    b'{"a": 9007199254740993}',
    b'{"a": [9007199254740993]}',
    b'{"a": "\xff"}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": "\t"}',
    b'{"a": "\x00"}',
    b'{"a": "\\u0000"}',
    b'{"a": "\\ud83d\\ude00 \\ud800"}',
    b'\xef\xbb\xbf{"a": 1}',
    b'{"a": 1}\r',
    b' \t{"a" : 1 } ',
    b'{"a": 1} // why',
    b"{'a': 1}",
    b'{"a": 1}{"a": 2}',
    b'{"a": 1}\r{"a": 2}',
    b'{"a": 1} \r',
    b'{"a": 1}\r\r',
    b'{"a": {"b": 1}',
    b'{"a": [1, {}',
    b'{"a": "}',
    b"{}}",
    b"{{}",
    b'{"a": 1}\x00{"a": 2}',
    b"{}{}",
]


def strict(lines: list[bytes], known: pa.Schema) -> pa.Table | str:
    """The table of the strict reader in the known types, or what stands against it."""
    try:
        table = jsonl.strict_table(FILE, 1, b"\n".join(lines))
        if arrow_file.unified(known, table.schema) != known:
            return "wider"
        return pa.Table.from_pylist(table.to_pylist(), schema=known)
    except (DataError, pa.ArrowInvalid) as error:
        return str(error)


def differences(lines: list[bytes], known: pa.Schema) -> list[object]:
    """What the fast reader gives otherwise than the strict one; nothing where it leaves the lines to that one."""
    quick = quick_lines.quick_table(b"\n".join(lines), known)
    if quick is None:
        return []
    quick.validate(full=True)
    slow = strict(lines, known)
    if not isinstance(slow, pa.Table):
        return [("read although", slow)]
    pairs = [(quick.schema, known), (repr(quick.to_pylist()), repr(slow.to_pylist()))]
    return [(fast, right) for fast, right in pairs if fast != right]


def encoded(rows: list[dict[str, object]], ascii_only: bool) -> list[bytes]:
    """Rows as lines; lone surrogates only where they can be written."""
    return [json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for row in rows]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROWS, min_size=1, max_size=4), st.lists(ROWS, min_size=1, max_size=4), st.booleans())
def test_rows_of_any_kind(before, rows, ascii_only):
    """Whatever types were seen before, the fast reader never gives other values than the strict one."""
    try:
        known = jsonl.strict_table(FILE, 1, b"\n".join(encoded(before, ascii_only))).schema
    except DataError:
        return
    assert differences(encoded(rows, ascii_only), known) == []
    assert differences(encoded(before, ascii_only), known) == []


@settings(max_examples=300)
@given(st.data())
def test_broken_lines(data):
    """Lines with a byte changed, left out or put in, and lines cut short, are never read as something else."""
    good = b'{"a": 1, "b": "x\\u00e9\\n", "c": [{"d": 0.5}, null], "e": null, "f": true}'
    known = jsonl.strict_table(FILE, 1, good).schema
    at = data.draw(st.integers(0, len(good) - 1))
    change = data.draw(
        st.sampled_from([b"", good[at : at + 1] * 2, *(bytes([c]) for c in b'{}[]",:\\0e-.nt \n\r\xff\x00')])
    )
    cut = data.draw(st.booleans())
    line = good[:at] + change + (b"" if cut else good[at + 1 :])
    assert differences([part for part in [good, *line.split(b"\n"), good] if part.strip()], known) == []


@pytest.mark.parametrize("line", ODD_LINES)
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string(), pa.null(), pa.list_(pa.float64())])
def test_odd_lines(line, kind):
    """Two rows on a line, halves of rows, numbers that are none, bytes that are not text."""
    for beside in ([line], [line, line], [line, b""], [b"", line, line], [line, b'{"a": null}', line]):
        assert differences([b'{"a": null}', *beside, b'{"a": null}'], pa.schema([("a", kind)])) == []


@pytest.mark.parametrize("lines", [[b'{"a": "}', b'{"}', b'{"a": "x"}{"a": "y"}'], [b"{}{}", b'{"a": {}', b"{}}"]])
def test_a_row_over_two_lines_beside_two_rows_on_one(lines):
    """As many rows as lines, and yet no row a line."""
    assert quick_lines.quick_table(b"\n".join(lines), pa.schema([("a", pa.string())])) is None


@pytest.mark.parametrize(
    "row",
    [
        {"text": "2024-01-01", "n": 1, "x": 0.5, "list": [{"role": "user", "content": None}], "info": {"k": "v"}},
        {"text": "é💥\x00\u202e", "n": -(2**63), "x": -1e-300, "list": [], "info": {"k": None}},
        {"text": None, "n": None, "x": 3, "list": None, "info": None},
        {},
    ],
)
def test_usual_rows_are_read_fast(row):
    """The fast way is the usual one: missing fields, nulls, integers among floats and dates as text included."""
    first = {"text": "a", "n": 1, "x": 1.5, "list": [{"role": "r", "content": "c"}], "info": {"k": "v"}}
    known = jsonl.strict_table(FILE, 1, encoded([first], ascii_only=True)[0]).schema
    lines = encoded([row, first], ascii_only=False)
    assert quick_lines.quick_table(b"\n".join(lines), known) is not None
    assert differences(lines, known) == []


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROWS, min_size=1, max_size=12), block=st.integers(16, 200))
def test_blocks_do_not_matter(tmp_path, rows, block):
    """A file read in many small blocks gives the rows of the file read at once."""
    file, found = tmp_path / "x.jsonl", []
    file.write_bytes(b"\n".join(encoded(rows, ascii_only=True)) + b"\n")
    for size in (1 << 24, block):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jsonl, "BLOCK_BYTES", size)
            try:
                arrow_file.write(_reading(data_file(file)), tmp_path / "x.arrow")
                found.append(repr(pa.ipc.open_stream(tmp_path / "x.arrow").read_all().to_pylist()))
            except DataError:
                found.append("error")
    assert found[0] == found[1]


def test_a_line_longer_than_a_thread_takes(tmp_path, monkeypatch):
    """Long rows, and rows on the border of two threads' work, are read all the same."""
    monkeypatch.setattr(quick_lines, "_PARSED_BYTES", 1_000)
    monkeypatch.setattr(jsonl, "_FIRST_BYTES", 100)
    rows = [{"n": n, "text": "x" * (n % 7 * 200)} for n in range(300)]
    file = tmp_path / "x.jsonl"
    file.write_bytes(b"\n".join(encoded(rows, ascii_only=True)))
    assert [row for table in jsonl.tables(data_file(file)) for row in table.to_pylist()] == rows


@pytest.mark.parametrize("text", ['{{"a": "{0}"}}\n', '[{{"a": "{0}"}}]', '{{"data": [{{"a": "{0}"}}]}}'])
def test_a_row_that_would_take_all_memory_is_refused(tmp_path, monkeypatch, text):
    """The limit is 512 MiB, of which reading makes six times as much; here it is one."""
    assert jsonl.MOST_BYTES == 1 << 29
    monkeypatch.setattr(jsonl, "MOST_BYTES", 1 << 20)
    path = tmp_path / "rows.json"
    path.write_text(text.format("x" * (9 << 20)))
    with pytest.raises(DataError, match=r"(line|item) 1: this row is longer than 1 MiB"):
        kb.load(path)


def test_a_long_row_is_refused_where_parts_are_read_beside_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonl, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 1 << 18)
    monkeypatch.setattr(jsonl, "_BYTES_IN_PART", 1 << 16)
    monkeypatch.setattr(arrow_file, "_PART_BYTES", 1 << 19)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "b"}\n' * 100_000 + '{"a": "' + "x" * (3 << 20) + '"}\n')
    with pytest.raises(DataError, match="line 100001: this row is longer than 1 MiB"):
        kb.load(path)
