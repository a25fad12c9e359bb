"""The stage `verify`: columns in, verdict columns and a reward out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from datasets import Dataset
from test_verify_pair import CANDIDATE, REFERENCE

import kbtools as kb
from kbtools.errors import SchemaError, UsageError
from kbtools.pipeline import ProgressBars
from kbtools.testing import check_stage
from kbtools_plugins.verify.stage import Verify


def _rows() -> Dataset:
    answers = [f"<answer>\n```python\n{CANDIDATE}```\n</answer>", CANDIDATE.replace("0.0)", "0.1)"), None]
    return Dataset.from_list(
        [
            {
                "example_id": number,
                "completion": [{"role": "assistant", "content": answer}],
                "info": {"module_name": "Model", "python_code": REFERENCE, "triton_code": ""},
            }
            for number, answer in enumerate(answers)
        ]
    )


def test_rewards_follow_verdicts(tmp_path: Path) -> None:
    """A right answer, a wrong one, none; declared types; a formula for the reward; the contract of stages."""
    stage = Verify(workers=1, seed=1, store=str(tmp_path / "v.sqlite"), reward="2.0 if passed else 0")
    result = stage.run(_rows())
    assert result.dataset["verdict"][:] == ["pass", "wrong_output", "unsupported:no_code"]
    assert result.dataset["reward"][:] == [2.0, 0.0, 0.0]
    assert str(result.dataset.features["max_error"].dtype) == "float64"
    assert result.facts["passed"] == 1
    check_stage(stage, _rows())


def test_columns_are_checked_before_anything_is_run() -> None:
    """No reference, a column in the way, a formula that is none."""
    with pytest.raises(SchemaError, match="reference_code"):
        Verify().output_features(_rows().select_columns(["completion"]).features)
    with pytest.raises(SchemaError, match="overwrite"):
        Verify().output_features(_rows().add_column("verdict", ["a"] * 3).features)
    with pytest.raises(UsageError, match="--reward"):
        Verify(reward="exit()").output_features(_rows().features)


def test_progress_counts_the_verdicts(tmp_path: Path) -> None:
    """Who watches hears after each check how many there are of each verdict."""
    told: list[Mapping[str, int]] = []
    observer = ProgressBars()
    observer.counted = lambda counts: told.append(counts)  # type: ignore[method-assign]
    kb.apply(_rows(), Verify(workers=1, seed=1, store=str(tmp_path / "v.sqlite")), observer=observer)
    assert [sum(counts.values()) for counts in told] == [1, 2]
    assert told[-1] == {"pass": 1, "wrong_output": 1}
