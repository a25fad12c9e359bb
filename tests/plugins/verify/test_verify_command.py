"""The command on files: what it prints and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_verify_pair import CANDIDATE, REFERENCE

from kbtools.errors import UsageError
from kbtools_plugins.verify.command import verify_command


def _run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(verify_command, args, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value, result.output


def test_one_file_with_both(tmp_path: Path) -> None:
    """Reference and candidate side by side, as people keep them; exit code 0 for a pass."""
    file = tmp_path / "pair.py"
    file.write_text(REFERENCE + CANDIDATE)
    code, output = _run(str(file))
    assert (code, output.splitlines()[0].split(":")[0]) == (0, "pass")


def test_two_files_and_a_failure_explained(tmp_path: Path) -> None:
    """The explanation says which output, where and by how much; exit code 1."""
    reference, candidate = tmp_path / "reference.py", tmp_path / "candidate.md"
    reference.write_text(REFERENCE)
    candidate.write_text(f"My kernel:\n```python\n{CANDIDATE.replace('0.0)', '0.3)')}```\n")
    code, output = _run("--reference", str(reference), "--candidate", str(candidate), "--json")
    verdict = json.loads(output)
    assert (code, verdict["verdict"], verdict["reward"]) == (1, "wrong_output", 0.0)
    assert "instead of" in verdict["error"]


def test_unclear_files_are_a_usage_error(tmp_path: Path) -> None:
    """Neither one file nor two."""
    with pytest.raises(UsageError, match="--reference FILE and --candidate FILE"):
        _run()
    file = tmp_path / "pair.py"
    file.write_text(REFERENCE)
    with pytest.raises(UsageError, match="--targets"):
        _run(str(file), "--targets", "new")
    with pytest.raises(UsageError, match=r"targets.0: .*75.* seeds: .*1"):
        _run(str(file), "--targets", "8", "--seeds", "0")
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        _run(str(file))
