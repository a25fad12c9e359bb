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

_UNWRITTEN = "an output that nothing wrote is wrong before it is asked which operator made it"
_ASSEMBLY = "the interpreter has no inline assembly"
_LIBDEVICE = "the interpreter has no libdevice"
_ORDER = "the interpreter runs one program after the other and sees no order of their stores"
_TYPES = "the interpreter sees other types than a compiler and does not decide on kernels that ask"
SUITE = {
    "copy_from_freed": ("wrong_output", "fallback", _UNWRITTEN),
    "reallocate": ("wrong_output", "fallback", _UNWRITTEN),
    "logic": ("wrong_output", "unsupported:target_dependent", "`a and b` is b in the interpreter, true in a kernel"),
    "type_of_constant": ("wrong_output", "unsupported:target_dependent", _TYPES),
    "number_of_a_warp": ("wrong_output", "unsupported:inline_assembly", _ASSEMBLY),
    "shared_memory_of_a_block": ("wrong_output", "unsupported:inline_assembly", _ASSEMBLY),
    "counted_before_stored": ("nondeterministic", "pass", _ORDER),
    "relaxed_count": ("nondeterministic", "pass", _ORDER),
    "last_but_one": ("nondeterministic", "wrong_output", "it is wrong in the one order that the interpreter runs"),
    "cut_bytes": ("wrong_output", "unsupported:libdevice", _LIBDEVICE),
    "quantized_rows": ("pass", "unsupported:libdevice", _LIBDEVICE),
    "look_back": ("pass", "timeout", "it waits for programs that the interpreter starts only when it has ended"),
}
"""Candidates of the suite with another verdict as PTX than interpreted, and why."""

SHARED = {}
"""The same of the shared cases."""

Differences = dict[str, tuple[str, str]]


def _differences(names: list[str], found: list[Verification], interpreted: list[Verification]) -> Differences:
    """Both verdicts of each candidate that has two."""
    return {
        name: (one.verdict, other.verdict)
        for name, one, other in zip(names, found, interpreted, strict=True)
        if one.verdict != other.verdict
    }


def _known(listed: dict[str, tuple[str, str, str]]) -> Differences:
    return {name: (one, other) for name, (one, other, _) in listed.items()}


def test_the_suite_has_the_same_verdicts_on_both_tiers_but_for_what_is_listed() -> None:
    """No hostile candidate passes as PTX, no innocent one is rejected, and each difference is known with its reason."""
    candidates = load()
    found, interpreted = (run([on_tier(each, tier) for each in candidates], 2) for tier in ("ptx", "interpreter"))
    assert [each.name for each, verdict in zip(candidates, found, strict=True)
            if verdict.passed != (each.group == "innocent")] == []  # fmt: skip
    assert _differences([each.name for each in candidates], found, interpreted) == _known(SUITE)


@pytest.mark.skipif(not shared.FOLDER.is_dir(), reason="the cases are kept outside the project")
def test_shared_cases_have_the_same_verdicts_on_both_tiers_but_for_what_is_listed() -> None:
    """The same of the cases that came from elsewhere."""
    cases = [case for file in ("redteam", "recall", "lowprec") for case in shared.load(file)]
    found, interpreted = (
        verify_all([case.pair for case in cases], VerifySettings(tier=tier), 2) for tier in ("ptx", "interpreter")
    )
    assert _differences([case.name for case in cases], found, interpreted) == _known(SHARED)
