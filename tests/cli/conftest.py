"""Small files to call the command line on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows import evals


@pytest.fixture
def file(tmp_path) -> Path:
    """Six rows of the evals layout: rewards 0.0 to 1.0 in steps of 0.2."""
    path = tmp_path / "rows.jsonl"
    evals([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]).to_json(path)
    return path
