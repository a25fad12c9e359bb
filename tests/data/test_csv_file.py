"""A csv file is read as it stands, or refused with the line that is wrong: nothing is filled in, dropped or merged."""

import gzip

import pytest

import kbtools as kb
from kbtools.data.io import csv_file
from kbtools.errors import DataError


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (b"a,b\n1,2\n3\n", 3, "1 field, but 2 columns"),
        (b"a,b\n1,2\n3,4,5\n", 3, "3 fields, but 2 columns"),
        (b'a,b\n1,"x\ny"\n3,"never closed\n', 4, "unexpected end of data"),
        (b'a,b\n1,"x "q" y"\n', 2, "expected after"),
        (b"a,b\n1,2\n3,caf\xe9\n", 3, "can't decode byte 0xe9"),
        (b"a,b\r1,2\r", 1, "new-line character"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path, text, line, says):
    """Too few fields are not nulls, and quotes within quotes are not dropped."""
    (tmp_path / "x.csv").write_bytes(text)
    with pytest.raises(DataError, match=rf"x\.csv, line {line}: .*{says}"):
        kb.load(str(tmp_path / "x.csv"))


@pytest.mark.parametrize(
    "text", ["a,b\n1,x\n2,y\n\n\n", "\na,b\n\n1,x\n\n2,y\n", "\ufeffa,b\r\n1,x\r\n\r\n2,y", 'a,b\n1,"x"\n\n2,"y"\n']
)
def test_blank_lines_are_no_rows(tmp_path, text):
    """Wherever in the file they stand."""
    (tmp_path / "x.csv").write_bytes(text.encode())
    assert kb.load(str(tmp_path / "x.csv")).to_list() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_quoted_text_is_kept_whole(tmp_path):
    """Commas, quotes, blank lines and megabytes within quotes; an empty text is not a null."""
    long = "x" * 5_000_000
    (tmp_path / "x.csv").write_text(f'a,b\n1,"say ""hi"", now\n\nthen"\n2,\n3,""\n4,{long}\n')
    assert kb.load(str(tmp_path / "x.csv"))["b"][:] == ['say "hi", now\n\nthen', None, "", long]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_is_read_in_blocks_as_if_it_were_one(tmp_path, monkeypatch, pack):
    """A column is what all of its values are: floats after integers, text after nulls, nothing at all."""
    rows = ({"score": "1.5" if row > 90 else "1", "note": f'"a, ""{row}"""' if row >= 50 else ""} for row in range(100))
    lines = (f"{number},{row['score']},{row['note']},,{'true' * (number % 2)}\n\n" for number, row in enumerate(rows))
    text = "\ufeff\nid,score,note,none,flag\n" + "".join(lines)
    (tmp_path / "x.csv").write_bytes(pack(text.encode()))
    whole = list(csv_file.tables(csv_file.DataFile(tmp_path / "x.csv", "csv", "gzip" if pack is not bytes else None)))
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 40)
    ds = kb.load(str(tmp_path / "x.csv"))
    assert len(whole) == 1
    assert ds.to_list() == whole[0].to_pylist()
    assert (ds[49]["note"], ds[50]["note"], ds[91]["score"], ds[0]["flag"]) == (None, 'a, "50"', 1.5, None)
    types = [str(ds.features[name].dtype) for name in ds.column_names]
    assert types == ["int64", "float64", "large_string", "large_string", "bool"]


def test_a_note_to_excel_is_no_line_of_names(tmp_path):
    """It would be taken for two columns, and the names for a row."""
    (tmp_path / "x.csv").write_text("sep=,\na,b\n1,2\n")
    with pytest.raises(DataError, match="'sep=', a note to Excel, and no names"):
        kb.load(str(tmp_path / "x.csv"))


def test_digits_with_zeros_in_front_are_text(tmp_path):
    """`007` is not 7; a zero, and a part of one, are numbers."""
    (tmp_path / "x.csv").write_text("code,zero,part,sign\n007,0,0.5,-1\n12,10,0.25,0\n")
    (first, _) = kb.load(str(tmp_path / "x.csv"))
    assert first == {"code": "007", "zero": 0, "part": 0.5, "sign": -1}
