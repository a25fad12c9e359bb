"""Large files are read and digested at the same time, and what the cache holds is never of another content."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import datasets
import pytest

import kbtools as kb
from kbtools.data import cached, file_state
from kbtools.data.io import arrow_file
from kbtools.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def _all_files_are_large_and_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "_LARGE", 1)
    monkeypatch.setattr(file_state, "_SECONDS_THAT_SHOW", -60.0)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def _lines(path: Path, *values: object) -> str:
    path.write_text("".join(json.dumps({"a": value}) + "\n" for value in values))
    return str(path)


def _cache() -> list[str]:
    return sorted(file.name for file in Path(datasets.config.HF_DATASETS_CACHE, "kbtools").iterdir())


def test_a_file_is_the_same_dataset_read_either_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _lines(tmp_path / "x.jsonl", 1, 2, 3)
    first = kb.load(path)
    monkeypatch.setattr(cached, "_LARGE", 1 << 30)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "another")
    again = kb.load(path)
    assert first["a"][:] == again["a"][:] == [1, 2, 3]
    assert first._fingerprint == again._fingerprint
    assert Path(first.cache_files[0]["filename"]).parent.name == Path(again.cache_files[0]["filename"]).parent.name


def test_what_is_in_the_cache_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _lines(tmp_path / "x.jsonl", 1, 2)
    kb.load(path)
    monkeypatch.delattr(arrow_file, "write")
    assert kb.load(path)["a"][:] == [1, 2]


def test_another_file_of_the_same_size_is_another_dataset(tmp_path: Path) -> None:
    assert kb.load(_lines(tmp_path / "x.jsonl", 1, 2))["a"][:] == [1, 2]
    assert kb.load(_lines(tmp_path / "y.jsonl", 2, 1))["a"][:] == [2, 1]


def test_a_change_while_it_is_read_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are those of before then, and the digest perhaps not: all is read once more."""
    path, digest_of = tmp_path / "x.jsonl", file_state.file_digest

    def digest(file: Path, stop: Event) -> str:
        _lines(path, 2)  # somebody writes just then
        return digest_of(file, stop)

    _lines(path, 7101)
    with monkeypatch.context() as patch:
        patch.setattr(cached, "file_digest", digest)
        assert kb.load(str(path))["a"][:] == [2]
    assert kb.load(_lines(path, 7101))["a"][:] == [7101]


def test_a_line_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(DataError, match="line 2: not valid JSON"):
        kb.load(str(path))
    assert _cache() == []


def test_nobody_digests_the_rest_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    stop, path = Event(), tmp_path / "x"
    path.write_bytes(bytes(5 << 20))
    stop.set()
    assert file_state.file_digest(path, stop) != file_state.file_digest(path)


def test_a_cache_that_cannot_be_made_is_said_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only home, as containers have it; root may write everywhere, so a file stands in the way here."""
    (tmp_path / "file").touch()
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "file" / "datasets")
    with pytest.raises(ConfigError, match="the cache .* could not be written .*set HF_HOME"):
        kb.load(_lines(tmp_path / "x.jsonl", 3))
