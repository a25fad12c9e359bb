"""Loading keeps every value as it is, and a file that is not what it claims to be is an error that says where."""

import gzip
import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.data.io import jsonl, local_files
from kbtools.data.io.load import read_source
from kbtools.data.io.source import Source
from kbtools.errors import ConfigError, DataError, UsageError
from tests.rows import evals, made


def _jsonl(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_jsonl_round_trip(tmp_path):
    """Rows come back as they were written."""
    rows = [{"a": 1, "b": {"c": "x"}}, {"a": 2, "b": {"c": None}}]
    assert kb.load(_jsonl(tmp_path / "x.jsonl", *rows)).to_list() == rows


def test_text_that_looks_like_a_date_stays_text(tmp_path):
    """Readers that turn such text into timestamps lose its bytes."""
    assert kb.load(_jsonl(tmp_path / "x.jsonl", {"a": "2024-01-01"}))[0] == {"a": "2024-01-01"}


def test_field_that_first_appears_late_is_a_column_of_all_rows(tmp_path):
    """The schema is the union of all rows, wherever in the file they stand."""
    ds = kb.load(_jsonl(tmp_path / "x.jsonl", *[{"a": 1}] * 5_000, {"a": 1, "late": {"b": "x"}}))
    assert ds[0] == {"a": 1, "late": None}
    assert ds[5_000] == {"a": 1, "late": {"b": "x"}}


def test_column_of_nulls_takes_the_type_of_its_first_late_value(tmp_path):
    """Thousands of nulls before the first value do not fix the type."""
    ds = kb.load(_jsonl(tmp_path / "x.jsonl", *[{"a": None}] * 4_000, {"a": "x"}))
    assert ds.features["a"] == datasets.Value("string")


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": "y',
        b"{'a': 1}",
        b'{"a": 1}}',
        b"nonsense",
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": "x", "a": "y"}',
    ],
)
def test_broken_line_is_named_with_file_and_number(tmp_path, text):
    """The line number counts every line of the file, blank ones too."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": "x"}\n\n' + text + b'\n{"a": "z"}\n')
    with pytest.raises(DataError, match=r"x\.jsonl, line 3"):
        kb.load(str(path))


LARGE = 2**64 - 1


@pytest.mark.parametrize("nested", [lambda n: n, lambda n: [n, None], lambda n: {"b": n, "c": [{"d": n}]}])
def test_numbers_that_only_unsigned_types_hold_come_back(tmp_path, nested):
    """As they are saved; those before and behind them are signed or not as they are."""
    rows = [{"a": nested(value), "pad": "x" * 90_000} for value in (LARGE, None, 3, 2**63, *range(20))]
    found = kb.load(_jsonl(tmp_path / "x.jsonl", *rows))
    assert found.to_list() == rows
    kb.save(found, tmp_path / "again.jsonl")
    assert kb.load(str(tmp_path / "again.jsonl")).to_list() == rows


@pytest.mark.parametrize("values", [[1] * 9 + [LARGE], [LARGE] * 9 + [-1]])
def test_unsigned_numbers_far_from_signed_ones_are_refused_in_words(tmp_path, values):
    """Of what is written already, the sign cannot be taken back."""
    rows = [{"a": value, "pad": "x" * 90_000} for value in values]
    with pytest.raises(DataError, match="fit no one type|does not fit the types of another"):
        kb.load(_jsonl(tmp_path / "x.jsonl", *rows))


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, True])
def test_values_that_no_column_holds_are_named(tmp_path, value):
    """Integers of more than 64 bits and truth among numbers are not floats; the line is named all the same."""
    with pytest.raises(DataError, match="line 2: field 'a' has values that fit no one type"):
        kb.load(_jsonl(tmp_path / "x.jsonl", {"a": 0.5}, {"a": value}))


@pytest.mark.parametrize("text", ["{}\n{}\n", "{" + '"a":[' * 100_000])
def test_lines_of_nothing_and_of_too_much(tmp_path, text):
    """Rows without a field are not rows of a table, and an endless nesting ends."""
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(DataError, match="line"):
        kb.load(str(tmp_path / "x.jsonl"))


def test_the_same_bytes_under_another_ending_are_another_file(tmp_path):
    """An empty file is an empty jsonl file, but no parquet file and no csv file."""
    for name in ("x.jsonl", "x.parquet", "x.csv"):
        (tmp_path / name).write_text("")
    assert kb.load(str(tmp_path / "x.jsonl")).num_rows == 0
    for name in ("x.parquet", "x.csv"):
        with pytest.raises(DataError, match="not a whole parquet|is empty"):
            kb.load(str(tmp_path / name))


def test_row_that_is_no_object_is_named(tmp_path):
    """A list is valid JSON and no row."""
    with pytest.raises(DataError, match="line 2: a row must be a JSON object, but this is an array"):
        kb.load(_jsonl(tmp_path / "x.jsonl", {"a": 1}, [1, 2]))


def test_column_of_mixed_types_is_an_error_that_names_field_and_line(tmp_path):
    """Nothing is coerced to text unasked."""
    with pytest.raises(DataError, match="line 3: field 'a' has values that fit no one type"):
        kb.load(_jsonl(tmp_path / "x.jsonl", {"a": 1}, {"a": 2}, {"a": "three"}))


def test_mixed_types_far_apart_are_an_error_too(tmp_path, monkeypatch):
    """What is read later is checked against what was read before."""
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 500 * len('{"a": 1}\n'))
    with pytest.raises(DataError, match=r"x\.jsonl, from line \d+ on: .*different types.*int64 vs string"):
        kb.load(_jsonl(tmp_path / "x.jsonl", *[{"a": 1}] * 4_000, *[{"a": "x"}] * 10))


@pytest.mark.parametrize("ending", [".jsonl.gz", ".jsonl.zst"])
def test_compressed_jsonl_is_read_and_half_a_file_is_an_error(tmp_path, ending):
    """A download that broke off is not taken for a short dataset."""
    path = tmp_path / f"x{ending}"
    kb.save(evals([float(i % 7) for i in range(3_000)]), path)
    assert kb.load(str(path)).num_rows == 3_000
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="half-written|not valid JSON"):
        kb.load(str(path))


def test_gzip_of_nothing_and_empty_files_are_empty_datasets(tmp_path):
    """No rows is a dataset too."""
    (tmp_path / "x.jsonl").write_text("")
    (tmp_path / "y.jsonl.gz").write_bytes(gzip.compress(b""))
    assert kb.load(str(tmp_path / "x.jsonl")).num_rows == kb.load(str(tmp_path / "y.jsonl.gz")).num_rows == 0


def test_half_a_parquet_file_is_an_error(tmp_path):
    """The footer is missing, so nothing of it is believed."""
    path = tmp_path / "x.parquet"
    kb.save(evals([1.0] * 100), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole parquet file"):
        kb.load(str(path))


def test_csv_keeps_words_that_other_readers_take_for_nulls(tmp_path):
    """A module may be called NA or None."""
    (tmp_path / "x.csv").write_text("name,n\nNA,1\nNone,2\n2024-01-01,\n")
    assert kb.load(str(tmp_path / "x.csv")).to_list() == [
        {"name": "NA", "n": 1},
        {"name": "None", "n": 2},
        {"name": "2024-01-01", "n": None},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,a\n1,2,3\n", "two columns of one name: 'a'"),
        (f"a\n{2**70}\n", "column 'a' has integers that do not fit"),
    ],
)
def test_csv_that_no_table_holds(tmp_path, text, message):
    """Nothing is renamed and nothing rounded."""
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        kb.load(str(tmp_path / "x.csv"))


def test_ragged_csv_is_an_error(tmp_path):
    """A line with too many fields is not cut."""
    (tmp_path / "x.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(DataError, match="not a readable csv"):
        kb.load(str(tmp_path / "x.csv"))


def test_parquet_written_by_others_is_read(tmp_path):
    """Any parquet file will do, several row groups included."""
    pq.write_table(pa.table({"a": list(range(10))}), tmp_path / "x.parquet", row_group_size=3)
    assert kb.load(str(tmp_path / "x.parquet"))["a"][:] == list(range(10))


def test_saved_folder_is_read(tmp_path):
    """`save_to_disk` folders load, with and without splits."""
    ds = evals([1.0, 0.0])
    ds.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict(train=ds, validation=ds).save_to_disk(str(tmp_path / "two"))
    assert kb.load(str(tmp_path / "one")).to_list() == ds.to_list()
    assert list(kb.load(str(tmp_path / "two"))) == ["train", "validation"]
    assert kb.load(str(tmp_path / "two"), split="validation").num_rows == 2


def test_edited_file_is_read_anew(tmp_path):
    """The cache goes by content, not by name or time."""
    path = tmp_path / "x.jsonl"
    assert kb.load(_jsonl(path, {"a": 1}))[0] == {"a": 1}
    assert kb.load(_jsonl(path, {"a": 2}))[0] == {"a": 2}


def test_pinned_digest_refuses_another_file_of_the_same_name(tmp_path):
    """A recipe made from one file does not run on its successor."""
    path = tmp_path / "x.jsonl"
    _, source = read_source(Source(dataset=_jsonl(path, {"a": 1})))
    _jsonl(path, {"a": 2})
    with pytest.raises(DataError, match="not the file that the recipe was made from"):
        read_source(source)


def test_a_file_that_changes_while_it_is_read_leaves_nothing_in_the_cache(tmp_path, monkeypatch):
    """Else everybody who has the old file would get the new rows."""
    path, digest_of = tmp_path / "x.jsonl", local_files.file_digest
    _jsonl(path, {"a": 7101})

    def digest(file):
        found = digest_of(file)
        _jsonl(path, {"a": 2})  # somebody writes just then
        return found

    monkeypatch.setattr(local_files, "file_digest", digest)
    with pytest.raises(DataError, match=r"x.jsonl changed while it was read"):
        kb.load(str(path))
    monkeypatch.undo()
    _jsonl(path, {"a": 7101})
    assert kb.load(str(path))["a"][:] == [7101]


def test_limit_takes_the_first_rows_of_each_split(tmp_path):
    """As TEST_MODE does."""
    assert kb.load(_jsonl(tmp_path / "x.jsonl", {"a": 1}, {"a": 2}, {"a": 3}), limit=2)["a"][:] == [1, 2]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("missing.jsonl", UsageError, "there is no file 'missing.jsonl'"),
        ("x.xls", UsageError, "kbtools reads"),
        ("not a hub id!", UsageError, "there is no file"),
        ("https://example.org/x.parquet", UsageError, "is an address.*download it first"),
        ("/dev/null", UsageError, "'/dev/null' is neither a file nor a folder"),
    ],
)
def test_names_that_cannot_be_loaded(tmp_path, name, error, message):
    """The error says what was looked for."""
    (tmp_path / "x.xls").write_text("a")
    with pytest.raises(error, match=message):
        kb.load(name)


def test_missing_split_names_those_there_are(tmp_path):
    """A wrong split is told the right ones."""
    kb.save(datasets.DatasetDict(train=evals([1.0]), validation=evals([1.0])), tmp_path / "d")
    with pytest.raises(UsageError, match="no split 'valid'. Did you mean 'validation'"):
        kb.load(str(tmp_path / "d"), split="valid")


def test_unreachable_hub_is_a_configuration_error(monkeypatch):
    """Without a network, the error says how to go on."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("kbtools.data.hub.client.time.sleep", lambda seconds: None)
    with pytest.raises(ConfigError, match="loading 'me/data'.*could not be reached"):
        kb.load("me/data")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_any_text_survives_jsonl_and_parquet(tmp_path, texts):
    """Texts keep every character through both formats."""
    ds = made({"text": texts})
    for name in ("x.jsonl", "x.parquet"):
        kb.save(ds, tmp_path / name)
        assert kb.load(str(tmp_path / name))["text"][:] == texts


@pytest.mark.parametrize("key", ["revision", "config"])
def test_source_refuses_what_it_has_no_use_for(tmp_path, key):
    """The sample, a file, a folder and a set of split files: a revision or configuration would do nothing there."""
    ds = evals([1.0, 2.0])
    ds.save_to_disk(tmp_path / "folder")
    kb.save(ds, tmp_path / "one.parquet")
    kb.save(datasets.DatasetDict(train=ds, test=ds), tmp_path / "two.parquet")
    for name in ("sample", "one.parquet", "folder", "two.parquet"):
        with pytest.raises(UsageError, match=f"{key} 'main' means nothing there"):
            read_source(Source(dataset=name, **{key: "main"}))


def test_digest_pins_files_only(tmp_path):
    """A folder and a dataset on the Hub have no single digest to compare with."""
    evals([1.0]).save_to_disk(tmp_path / "folder")
    for name in ("folder", "me/x"):
        with pytest.raises(UsageError, match="sha256 'abc' means nothing there"):
            read_source(Source(dataset=name, sha256="abc"))


def test_address_of_a_lineage_says_everything_itself():
    """Options beside it would be lost."""
    with pytest.raises(UsageError, match="leave split, config, revision and limit out"):
        kb.load("hf://datasets/me/x/kbtools-lineage.json", limit=3)


@pytest.mark.parametrize("name", ["me/x?token=y", "me/a b", "me/x&y"])
def test_an_address_that_names_no_dataset_is_refused(name):
    """Before the Hub is asked."""
    with pytest.raises(UsageError, match=r"is no name of a dataset on the Hub: write hf://datasets/OWNER/NAME"):
        kb.load(f"hf://datasets/{name}")
