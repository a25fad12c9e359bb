"""Deduplication of many rows, a part of the keys at a time: the rows, counts and notes of all keys at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools_plugins import key_parts
from tests.rows import made_of

CODES = ["def f(): return 1", "def f():\n    return 1  # the same", "def f(): return 2", "not python(", None]
ROW = st.fixed_dictionaries(
    {
        "module_name": st.sampled_from(["a", "b", "c", "d", None]),
        "number": st.sampled_from([0.0, -0.0, 1.5, float("nan"), None]),
        "python_code": st.sampled_from(CODES),
        "reward": st.sampled_from([0.5, 1.0, 2.0, None, float("nan")]),
    }
)
FEATURES = datasets.Features(
    {
        "module_name": datasets.Value("string"),
        "number": datasets.Value("float64"),
        "python_code": datasets.Value("string"),
        "reward": datasets.Value("float64"),
    }
)


def outcome(stage: kb.Dedup, ds: datasets.Dataset) -> Any:
    """All that a run gives, as plain data."""
    try:
        done = stage.run(ds)
    except kb.errors.KbError as error:
        return str(error)
    assert not isinstance(done.dataset, dict)
    dropped = [(repr(drop.rows.to_list()), drop.reason, drop.rows._fingerprint) for drop in done.dropped]
    return repr(done.dataset.to_list()), done.dataset._fingerprint, dropped, done.notes, done.facts


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, min_size=1, max_size=30),
    key=st.sampled_from([("module_name",), ("module_name", "number"), ("number",), ("code",), ("code", "module_name")]),
    nulls=st.sampled_from(["error", "drop", "keep"]),
    collisions=st.sampled_from(["warn", "error", "split"]),
    order=st.sampled_from(["score", "input"]),
)
def test_parts_give_what_the_whole_gives(
    tmp_path: Path, rows: list[dict[str, Any]], key: tuple[str, ...], nulls: Any, collisions: Any, order: Any
) -> None:
    ds = made_of(rows, FEATURES)
    stage = kb.Dedup(key=key, nulls=nulls, collisions=collisions, order=order)
    whole = outcome(stage, ds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_parts, "PART_ROWS", 3)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        assert outcome(stage, ds) == whole
    assert list((tmp_path / "kbtools").glob(".keys*")) == []


def test_a_full_disk_is_said_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(key_parts, "PART_ROWS", 1)
    monkeypatch.setattr(key_parts, "_write", full)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    rows = [{"module_name": name, "number": 1.0, "python_code": "x", "reward": 1.0} for name in "abc"]
    with pytest.raises(kb.errors.ConfigError, match="could not be written .*No space left"):
        kb.Dedup().run(made_of(rows, FEATURES))
    assert list((tmp_path / "kbtools").iterdir()) == []
