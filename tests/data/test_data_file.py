"""A file is what its bytes say: compressed or not, an array or lines; what is not a dataset is named for what it is."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import zstandard

import kbtools as kb
from kbtools.data.io import json_document
from kbtools.errors import DataError, UsageError

ROWS = [{"n": i, "t": f"text {i}, \u00e9\u4e2d", "m": [{"role": "user", "content": "x"}]} for i in range(3)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
CASES = Path(__file__).parents[3] / "shared" / "cases" / "outside"


PACKERS = {
    "gzip": gzip.compress,
    "gzip of several members": lambda content: gzip.compress(content[:50]) + gzip.compress(content[50:]),
    "bz2": bz2.compress,
    "zstd": zstandard.compress,
    "zstd of several frames": lambda content: zstandard.compress(content[:50]) + zstandard.compress(content[50:]),
    "xz": lzma.compress,
    "xz of several streams with zeros between": lambda content: (
        lzma.compress(content[:50]) + bytes(8) + lzma.compress(content[50:]) + bytes(4)
    ),
}


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.ndjson.zst"])
@pytest.mark.parametrize("packer", PACKERS)
def test_compression_is_seen_from_the_content(tmp_path, packer, name):
    """Whatever the file is called."""
    (tmp_path / name).write_bytes(PACKERS[packer](LINES))
    assert kb.load(str(tmp_path / name)).to_list() == ROWS


@pytest.mark.parametrize("packer", ["gzip", "bz2", "zstd", "xz"])
@pytest.mark.parametrize("spoilt", [lambda packed: packed + b"and more", lambda packed: packed[:-9]])
def test_bytes_behind_what_is_packed_are_not_passed_over(tmp_path, packer, spoilt):
    """They may be rows that somebody appended; nor is a file that breaks off."""
    (tmp_path / "x.jsonl").write_bytes(spoilt(PACKERS[packer](LINES)))
    with pytest.raises(DataError, match="cannot be decompressed"):
        kb.load(str(tmp_path / "x.jsonl"))


@pytest.mark.parametrize("packer", ["gzip", "zstd", "xz"])
def test_compressed_csv_is_read(tmp_path, packer):
    """As `datasets` reads it."""
    (tmp_path / "x.csv.gz").write_bytes(PACKERS[packer](b"a,b\n1,x\n2,y\n"))
    assert kb.load(str(tmp_path / "x.csv.gz")).to_list() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_tabs_part_the_fields_of_tsv_and_other_signs_are_named(tmp_path):
    """A file of semicolons would be one column of whole lines."""
    (tmp_path / "x.tsv").write_text("a\tb\n1\tx, y\n")
    assert kb.load(str(tmp_path / "x.tsv")).to_list() == [{"a": 1, "b": "x, y"}]
    (tmp_path / "x.csv").write_text("a;b\n1;x\n")
    with pytest.raises(DataError, match="parted by ';'"):
        kb.load(str(tmp_path / "x.csv"))


DOCUMENTS = {
    "array": json.dumps(ROWS),
    "indented array": json.dumps(ROWS, indent=2),
    "array after a blank line and a mark": "\ufeff\n " + json.dumps(ROWS) + "\n\n",
    "under data": json.dumps({"data": ROWS}),
    "under data, with a version": json.dumps({"version": "1.1", "data": ROWS}),
    "under data, indented": json.dumps({"data": ROWS}, indent=1),
    "objects over several lines": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "lines": LINES.decode(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("step", [7, 1 << 22])
def test_rows_of_a_json_file_however_it_is_written(tmp_path, name, step, monkeypatch):
    """Wherever the blocks end in which it is read."""
    monkeypatch.setattr(json_document, "_READ_BYTES", step)
    (tmp_path / "x.json").write_text(DOCUMENTS[name], encoding="utf-8")
    assert kb.load(str(tmp_path / "x.json")).to_list() == ROWS


@pytest.mark.parametrize("text", ["[]", '{"data": []}', "", " \n"])
def test_json_of_no_rows_is_an_empty_dataset(tmp_path, text):
    """As an empty file of lines is."""
    (tmp_path / "x.json").write_text(text)
    assert kb.load(str(tmp_path / "x.json")).num_rows == 0


def test_a_single_object_is_a_row(tmp_path):
    """Its messages are not rows; a line `{"data": [...]}` of a .jsonl file is a row as well."""
    row = {"prompt": [{"role": "user", "content": "x"}], "reward": 0.5}
    for text in (json.dumps(row), json.dumps(row, indent=2)):
        (tmp_path / "x.json").write_text(text)
        assert kb.load(str(tmp_path / "x.json")).to_list() == [row]
    (tmp_path / "x.jsonl").write_text('{"data": [{"a": 1}]}\n')
    assert kb.load(str(tmp_path / "x.jsonl")).to_list() == [{"data": [{"a": 1}]}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}, 2]', "item 2: a row must be a JSON object, but this is a number"),
        ('[{"a": 1}\n{"a": 2}]', "item 1: not valid JSON .a comma or the end"),
        ('[{"a": 1}, {"a":', "item 2: not valid JSON .*half-written"),
        ('[{"a": 1}', "item 1: not valid JSON .*half-written"),
        ('[{"a": 1, "a": 2}]', "item 1: not valid JSON .*'a'"),
        ('[{"a": 1}, {"a": "x"}]', "item 2: field 'a' has values that fit no one type"),
        ('[{"a": "\\ud83d"}]', r"item 1: field 'a' holds \\ud83d at character 0, half of a pair"),
        ('{"version": 1, "rows": [{"a": 1}]}', r"jq -c '\.rows\[\]' x.json > rows.jsonl"),
        ('{"train": [{"a": 1}], "test": [{"a": 2}]}', r"jq -c '\.train\[\]'"),
        ('{"a": {"0": 1, "1": 2}, "b": {"0": 1, "1": 2}}', "orient='records', lines=True"),
        ('{"0": {"a": 1}, "1": {"a": 2}}', "orient='records', lines=True"),
        ('{"a": [1, 2], "b": ["x", null]}', "orient='records', lines=True"),
        ('{"columns": ["a"], "index": [0], "data": [[1]]}', "orient='records', lines=True"),
        ('{"reward": [0.5, 1], "completion": [[{"role": "user"}], []]}', "orient='records', lines=True"),
        ('{"relu": {"code": "x", "reward": 1}, "gelu": {"reward": 0, "code": "y"}}', r"jq -c 'to_entries\[\]"),
        ("[1, 2]\n[3, 4]\n", "item 1: a row must be a JSON object, but this is a number"),
        ("[null]", "but this is null"),
        ("{'a': 1,\n'b': 2}", "item 1: not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_json_that_is_no_dataset_is_named(tmp_path, text, message):
    """Which item, and what to do; never the advice to delete what is right."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        kb.load(str(tmp_path / "x.json"))
    assert "delete that line" not in str(error.value)


def test_half_a_character_in_a_line_is_said_to_be_one(tmp_path):
    """The reader of lines says the same, of a value and of a name."""
    (tmp_path / "x.jsonl").write_text('{"a": "x"}\n{"a": "ab\\ud83d"}\n')
    with pytest.raises(DataError, match=r"line 2: field 'a' holds \\ud83d at character 2, half of a pair of escapes"):
        kb.load(str(tmp_path / "x.jsonl"))
    (tmp_path / "x.jsonl").write_text('{"a": "x"}\n{"\\ud83d": "x"}\n')
    with pytest.raises(DataError, match="line 2: not valid JSON"):
        kb.load(str(tmp_path / "x.jsonl"))


def sqlite(path):
    """A database."""
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (a)")


def zipped(path):
    """An archive with the rows in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.jsonl", LINES)


def tarred(path):
    """As webdataset writes them."""
    with tarfile.open(path, "w") as archive:
        row = tarfile.TarInfo("0000.json")
        row.size = len(LINES)
        archive.addfile(row, io.BytesIO(LINES))


def spreadsheet(path):
    """As office programs write them: a zip archive, too."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")


OTHERS = {
    "zip archive": zipped,
    "tar archive": tarred,
    "spreadsheet": spreadsheet,
    "feather file of version 1": lambda path: path.write_bytes(b"FEA1" + bytes(60) + b"FEA1"),
    "SQLite": sqlite,
    "pickle": lambda path: path.write_bytes(pickle.dumps(ROWS)),
    "UTF-16": lambda path: path.write_bytes(LINES.decode().encode("utf-16")),
    "git lfs pull": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "HTML page": lambda path: path.write_text("<!DOCTYPE html><html>not found</html>"),
    "parquet file within gzip": lambda path: path.write_bytes(gzip.compress(b"PAR1")),
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet"])
def test_files_of_another_kind_are_named_for_what_they_are(tmp_path, what, name):
    """Rather than for the first byte that does not fit."""
    OTHERS[what](tmp_path / name)
    with pytest.raises(DataError, match=what):
        kb.load(str(tmp_path / name))


@pytest.mark.parametrize("write", [pq.write_table, feather.write_feather])
def test_two_fields_of_one_name_are_refused_however_deep(tmp_path, write):
    """A row would have only one of the values."""
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    deep = pa.ListArray.from_arrays([0, 1], pa.StructArray.from_arrays([twice], ["inner"]))
    write(pa.table({"id": [1], "outer": deep}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="column 'outer' has two fields of one name: 'a'"):
        kb.load(str(tmp_path / "x.parquet"))


def test_binary_formats_are_seen_under_any_name(tmp_path):
    """Parquet, both formats of Arrow and feather; JSON under the name of parquet."""
    ds = datasets.Dataset.from_list(ROWS)
    ds.to_parquet(str(tmp_path / "a.jsonl"))
    with pa.OSFile(str(tmp_path / "b.bin"), "wb") as sink, pa.ipc.new_file(sink, ds.data.table.schema) as writer:
        writer.write_table(ds.data.table)
    with pa.OSFile(str(tmp_path / "c.arrow"), "wb") as sink, pa.ipc.new_stream(sink, ds.data.table.schema) as writer:
        writer.write_table(ds.data.table)
    feather.write_feather(ds.data.table, str(tmp_path / "d.feather"))
    (tmp_path / "e.parquet").write_bytes(LINES)
    for path in sorted(tmp_path.iterdir()):
        assert kb.load(str(path)).to_list() == ROWS, path.name


FRAME = {"n": [1, 2, None], "t": ["a", None, "c"], "l": [[1], [], [2, 3]]}


@pytest.mark.parametrize(
    "write",
    [
        lambda path: pd.DataFrame(FRAME).to_json(path / "x.json", orient="records"),
        lambda path: pd.DataFrame(FRAME).to_json(path / "x.json", orient="records", indent=2),
        lambda path: pd.DataFrame(FRAME).to_json(path / "x.jsonl.gz", orient="records", lines=True),
        lambda path: pd.DataFrame(FRAME).to_parquet(path / "x.parquet"),
        lambda path: pl.DataFrame(FRAME).write_json(path / "x.json"),
        lambda path: pl.DataFrame(FRAME).write_ndjson(path / "x.ndjson"),
        lambda path: pl.DataFrame(FRAME).write_ipc(path / "x.arrow"),
        lambda path: pl.DataFrame(FRAME).write_ipc(path / "x.arrow", compression="zstd"),
        lambda path: pl.DataFrame(FRAME).write_ipc_stream(path / "x.arrow"),
        lambda path: pl.DataFrame(FRAME).write_parquet(path / "x.parquet"),
        lambda path: datasets.Dataset.from_dict(FRAME).to_json(path / "x.json"),
        lambda path: datasets.Dataset.from_dict(FRAME).to_json(path / "x.json", lines=False),
        lambda path: datasets.Dataset.from_dict(FRAME).to_json(path / "x.jsonl.xz", compression="xz"),
        lambda path: datasets.Dataset.from_dict(FRAME).to_parquet(path / "x.parquet"),
    ],
)
def test_what_people_write_with_is_read(tmp_path, write):
    """pandas, polars and datasets, each as it writes when nothing else is said."""
    write(tmp_path)
    (path,) = tmp_path.iterdir()
    found = kb.load(str(path))
    assert [{**row, "n": row["n"] and int(row["n"])} for row in found.to_list()] == [
        {"n": 1, "t": "a", "l": [1]},
        {"n": 2, "t": None, "l": []},
        {"n": None, "t": "c", "l": [2, 3]},
    ]


@pytest.mark.parametrize("cut", [1, 10, 60])
@pytest.mark.parametrize("name", ["x.arrow", "x.jsonl", "x.json"])
def test_half_a_file_is_an_error_or_fewer_whole_lines(tmp_path, name, cut):
    """Whatever its format or compression: never a row that is not one of the file's."""
    content = {"x.jsonl": zstandard.compress(LINES), "x.json": json.dumps(ROWS).encode()}.get(name)
    if content is None:
        pl.DataFrame(ROWS).write_ipc(tmp_path / name)
        content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-cut])
    with pytest.raises(DataError, match=name):
        kb.load(str(tmp_path / name))


@pytest.mark.parametrize("name", ["array.json", "wrapped.json", "isgz.jsonl"])
def test_case_10_files_as_they_came(name):
    """An array, rows under `data`, gzip under the name of JSON lines."""
    path = CASES / "10-json-array-file" / name
    if not path.is_file():
        pytest.skip("../shared/cases is not beside this checkout")
    assert kb.load(str(path)).num_rows == (1 if name == "isgz.jsonl" else len(_rows(path)))


def _rows(path):
    found = json.loads(path.read_text())
    return found["data"] if isinstance(found, dict) else found


def test_case_12_half_a_character():
    """The line and the reason."""
    path = CASES / "12-small-unclear" / "surrogate.jsonl"
    if not path.is_file():
        pytest.skip("../shared/cases is not beside this checkout")
    with pytest.raises(DataError, match="half of a pair of escapes"):
        kb.load(str(path))


def test_what_was_compressed_twice_is_said_to_be_and_a_link_to_nothing_too(tmp_path):
    """No line of it is wrong, and no other name is meant."""
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(gzip.compress(b'{"a": 1}\n')))
    with pytest.raises(DataError, match="compressed twice"):
        kb.load(str(tmp_path / "x.jsonl.gz"))
    (tmp_path / "link.parquet").symlink_to("gone.parquet")
    with pytest.raises(UsageError, match="is a link to 'gone.parquet', and nothing is there"):
        kb.load(str(tmp_path / "link.parquet"))


def test_xz_is_read_to_its_end_or_refused(tmp_path):
    """Python's reader passes over what follows a stream and is none; padding between streams is allowed."""
    path, whole = tmp_path / "x.jsonl.xz", lzma.compress(LINES)
    path.write_bytes(lzma.compress(LINES[:50]) + bytes(8) + lzma.compress(LINES[50:]) + bytes(4))
    assert kb.load(str(path)).to_list() == ROWS
    for broken in (whole + b"more", whole + whole[:-10], whole[:-10], whole + b"\0\0more"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="cannot be decompressed to its end"):
            kb.load(str(path))


def test_zstandard_may_begin_with_a_frame_to_be_skipped(tmp_path):
    """As that of pzstd does."""
    (tmp_path / "x.jsonl.zst").write_bytes(b"\x50\x2a\x4d\x18\x04\0\0\0size" + zstandard.compress(LINES))
    assert kb.load(str(tmp_path / "x.jsonl.zst")).to_list() == ROWS


@pytest.mark.parametrize("name", ["rollouts", "x.txt", "x.jsonlines", "x.log.gz", "rollouts_2024.06.01", "x.bin"])
@pytest.mark.parametrize("text", [LINES, json.dumps(ROWS, indent=1).encode(), b"\xef\xbb\xbf" + LINES])
def test_objects_of_json_are_rows_under_any_name(tmp_path, name, text):
    """Other text under a name that says nothing is not guessed at."""
    (tmp_path / name).write_bytes(text)
    assert kb.load(str(tmp_path / name)).to_list() == ROWS
    if not name.endswith("lines"):
        (tmp_path / name).write_bytes(b"{rtf} or [a list], or\na,b\n")
        with pytest.raises(UsageError, match="kbtools reads"):
            kb.load(str(tmp_path / name))


@pytest.mark.parametrize("left", ["no end", "half a batch", "another behind"])
def test_a_stream_of_arrow_has_an_end(tmp_path, left):
    """A killed writer leaves whole batches, which a reader takes for all; so it does with the first of two streams."""
    path, table = tmp_path / "x.arrow", pa.table({"a": ["x"] * 1000})
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=500)
    whole = path.read_bytes()
    assert kb.load(str(path)).num_rows == 1000
    path.write_bytes({"no end": whole[:-8], "half a batch": whole[:-200], "another behind": whole + whole}[left])
    with pytest.raises(DataError, match="half-written|not a whole Arrow file|a file of its own"):
        kb.load(str(path))


@pytest.mark.parametrize("depth", [40, 80, 500])
def test_what_is_nested_too_deeply_for_a_column_is_text(tmp_path, depth):
    """Arrow's writer would break off."""
    text = "[" * depth + "1" + "]" * depth
    (tmp_path / "x.jsonl").write_text(f'{{"a": {text}}}\n')
    found = kb.load(str(tmp_path / "x.jsonl"))["a"][0]
    assert found == (text if depth > 40 else json.loads(text))
