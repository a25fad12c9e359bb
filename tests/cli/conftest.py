"""Small files and plugins to call the command line on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kbtools import plugins
from tests.rows import evals


@pytest.fixture
def file(tmp_path) -> Path:
    """Six rows of the evals layout: rewards 0.0 to 1.0 in steps of 0.2."""
    path = tmp_path / "rows.jsonl"
    evals([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]).to_json(path)
    return path


@pytest.fixture
def install(tmp_path, monkeypatch) -> Iterator[Callable[[str, str], Path]]:
    """Put a plugin module of this source on the path, with the metadata that an installer would write."""
    folder = tmp_path / "site"

    def put(name: str, source: str, version: str = "1.0") -> Path:
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[kbtools]\nown = {name.replace('-', '_')}\n")
        (folder / f"{name.replace('-', '_')}.py").write_text(source)
        plugins.registry.cache_clear()
        return folder

    monkeypatch.syspath_prepend(folder)
    yield put
    plugins.registry.cache_clear()
    for module in [name for name, found in sys.modules.items() if str(folder) in str(getattr(found, "__file__", ""))]:
        del sys.modules[module]
