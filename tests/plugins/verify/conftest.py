"""Warm processes that all tests of this folder share: starting them is what takes long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="needs kbtools[verify]")

from kbtools_plugins.verify.host.processes import WarmPair

collect_ignore_glob = ["hostile/*", "innocent/*", "references/*"]


@pytest.fixture(scope="session")
def processes() -> Iterator[WarmPair]:
    """One pair of warm processes."""
    with WarmPair() as pair:
        yield pair


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's store of verdicts."""
    monkeypatch.setenv("KBTOOLS_VERDICTS", str(tmp_path / "verdicts.sqlite"))
