"""Where the two tiers of a machine without a GPU differ: every candidate of the suite and of the shared cases on both.

The PTX machine runs what a device would run; Triton's interpreter stays for one release, to compare.
"""

from __future__ import annotations

import pytest
import test_shared_cases as shared
from verify_suite import load, on_tier, run

from kbtools_plugins.verify import Verification, VerifySettings
from kbtools_plugins.verify.pool import verify_all

pytestmark = [pytest.mark.verify, pytest.mark.long]

DIFFERENT = {
    "copy_from_freed": "an output that nothing wrote is wrong before it is asked which operator made it",
    "reallocate": "an output that nothing wrote is wrong before it is asked which operator made it",
    "uninit_minimum_3d": "a race too: the interpreter runs one thread",
    "relaxed_count": "the interpreter runs one program after the other and sees no order of their stores",
    "tf32_dot": "the interpreter computes float32 products exactly",
}
"""Candidates with another verdict on each tier, and why; what the interpreter cannot decide is not among them."""


def _differences(names: list[str], found: list[Verification], interpreted: list[Verification]) -> list[str]:
    """Candidates that both tiers decide, each in its own way."""
    return [
        f"{name}: {one.verdict} as PTX, {other.verdict} interpreted"
        for name, one, other in zip(names, found, interpreted, strict=True)
        if one.verdict != other.verdict and not other.verdict.startswith("unsupported:") and name not in DIFFERENT
    ]


def test_the_suite_has_the_same_verdicts_on_both_tiers() -> None:
    """No hostile candidate passes as PTX, no innocent one is rejected on either, and what differs is known."""
    candidates = load()
    found, interpreted = (run([on_tier(each, tier) for each in candidates], 2) for tier in ("ptx", "interpreter"))
    for verdicts, known in ((found, {}), (interpreted, DIFFERENT)):
        assert [each.name for each, verdict in zip(candidates, verdicts, strict=True)
                if verdict.passed != (each.group == "innocent") and each.name not in known] == []  # fmt: skip
    assert _differences([each.name for each in candidates], found, interpreted) == []


@pytest.mark.skipif(not shared.FOLDER.is_dir(), reason="the cases are kept outside the project")
@pytest.mark.parametrize("file", ["redteam", "recall", "lowprec"])
def test_shared_cases_have_the_same_verdicts_on_both_tiers(file: str) -> None:
    """What the interpreter decides the PTX machine decides too, and in the same way but for what is known."""
    cases = shared.load(file)
    found, interpreted = (
        verify_all([case.pair for case in cases], VerifySettings(tier=tier), 2) for tier in ("ptx", "interpreter")
    )
    assert _differences([case.name for case in cases], found, interpreted) == []
