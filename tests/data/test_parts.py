"""Large files are read in parts, each by a thread of its own: the rows, types and errors are those of one reading."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kbtools as kb
from kbtools.data import cached
from kbtools.data.io import arrow_file, jsonl
from kbtools.errors import ConfigError, DataError

ROWS = [{"n": n, "text": f"row {n} ä" * (n % 5), "more": {"x": n / 7, "y": [n] * (n % 3)}} for n in range(3_000)]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_file, "_PART_BYTES", 4_000)
    monkeypatch.setattr(jsonl, "_BYTES_IN_PART", 1_000)
    monkeypatch.setattr(jsonl, "_FIRST_BYTES", 1_000)


def _files() -> list[Path]:
    (folder,) = Path(datasets.config.HF_DATASETS_CACHE, "kbtools").glob(f"*-{cached.FORMAT}")
    return sorted(folder.iterdir())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def _lines(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return str(path)


def test_parquet_in_parts_is_parquet_from_the_start(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "x.parquet", row_group_size=100)
    first = kb.load(str(tmp_path / "x.parquet"))
    assert first.to_list() == ROWS
    assert len(_files()) == 16
    again = kb.load(str(tmp_path / "x.parquet"))
    assert again._fingerprint == first._fingerprint
    assert again.to_list() == ROWS


def test_lines_in_parts_are_lines_from_the_start(tmp_path: Path) -> None:
    assert kb.load(_lines(tmp_path / "x.jsonl", ROWS)).to_list() == ROWS
    assert len(_files()) == 16


def test_a_line_longer_than_parts_is_in_one_of_them(tmp_path: Path) -> None:
    rows = [*ROWS[:50], {**ROWS[50], "text": "long " * 20_000}, *ROWS[51:100]]
    assert kb.load(_lines(tmp_path / "x.jsonl", rows)).to_list() == rows
    assert len(_files()) > 1


@pytest.mark.parametrize("odd", [{"n": 1.5}, {"later": True}, {"text": None, "more": {"z": "new"}}])
def test_what_the_first_lines_do_not_show_is_read_all_the_same(tmp_path: Path, odd: dict[str, object]) -> None:
    path = _lines(tmp_path / "x.jsonl", [*ROWS[:2_500], odd, *ROWS[2_500:]])
    found = kb.load(path)
    assert [file.name for file in _files()] == ["data.arrow"]
    assert [found[2_500].get(name) for name in odd if name != "more"] == [v for k, v in odd.items() if k != "more"]
    assert found.num_rows == 3_001


@pytest.mark.parametrize(
    ("bad", "told"), [('{"n": 1', "line 2501: not valid JSON"), ("[]", "line 2501: a row must be")]
)
def test_an_error_names_its_line_in_the_whole_file(tmp_path: Path, bad: str, told: str) -> None:
    path = tmp_path / "x.jsonl"
    _lines(path, ROWS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2_500], bad, *lines[2_500:]]))
    with pytest.raises(DataError, match=told):
        kb.load(str(path))
    assert _files() == []


def test_a_part_that_is_gone_is_read_again(tmp_path: Path) -> None:
    path = _lines(tmp_path / "x.jsonl", ROWS)
    kb.load(path)
    _files()[3].unlink()
    assert kb.load(path).to_list() == ROWS
    assert len(_files()) == 16


def test_a_part_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, open_stream, opened = _lines(tmp_path / "x.jsonl", ROWS), pa.ipc.new_stream, []

    def full(sink: str, schema: pa.Schema) -> pa.RecordBatchStreamWriter:
        opened.append(sink)
        if len(opened) > 5:
            raise OSError(28, "No space left on device")
        return open_stream(sink, schema)

    monkeypatch.setattr(pa.ipc, "new_stream", full)
    with pytest.raises(ConfigError, match="could not be written"):
        kb.load(path)
    assert _files() == []


def test_stages_find_the_rows_of_parts_in_their_order(tmp_path: Path) -> None:
    ds = kb.load(_lines(tmp_path / "x.jsonl", ROWS))
    kept = kb.apply(ds, kb.Filter(where="n >= 1400"))
    assert kept["n"][:] == [*range(1_400, 3_000)]
    kb.save(kept, tmp_path / "kept.jsonl")
    assert [json.loads(line)["n"] for line in (tmp_path / "kept.jsonl").open()] == [*range(1_400, 3_000)]
