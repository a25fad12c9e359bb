"""Every test session has caches of its own, so that nothing is taken from an earlier run or from the user's home."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

_HOME = tempfile.mkdtemp(prefix="kbtools-tests-")
os.environ["HF_HOME"] = _HOME  # read when `datasets` and `huggingface_hub` are imported, so before any test module
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
for name in ("DATASET_PATH", "TEST_MODE", "HF_TOKEN", "KBTOOLS_STORE"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths such as outputs/ land in the test's own folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of rows that nobody here wrote; the test is skipped where it is not beside the repository."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not beside this checkout")
    return folder
