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
_BFLOAT16 = "bfloat16 is wrong in the interpreter"
_LOGIC = "`a and b` is b in the interpreter, true in a kernel"
_LIBDEVICE = "the interpreter has no libdevice"
_ORDER = "the interpreter runs one program after the other and sees no order of their stores"
_TYPES = "the interpreter sees other types than a compiler and does not decide on kernels that ask"
SUITE = {
    "hostile/copy_from_freed": ("wrong_output", "fallback", _UNWRITTEN),
    "hostile/reallocate": ("wrong_output", "fallback", _UNWRITTEN),
    "hostile/logic": ("wrong_output", "unsupported:target_dependent", _LOGIC),
    "hostile/type_of_constant": ("wrong_output", "unsupported:target_dependent", _TYPES),
    "hostile/number_of_a_warp": ("wrong_output", "unsupported:inline_assembly", _ASSEMBLY),
    "hostile/shared_memory_of_a_block": ("wrong_output", "unsupported:inline_assembly", _ASSEMBLY),
    "hostile/counted_before_stored": ("nondeterministic", "pass", _ORDER),
    "hostile/relaxed_count": ("nondeterministic", "pass", _ORDER),
    "hostile/last_but_one": (
        "nondeterministic",
        "wrong_output",
        "it is wrong in the one order that the interpreter runs",
    ),
    "hostile/cut_bytes": ("wrong_output", "unsupported:libdevice", _LIBDEVICE),
    "innocent/quantized_rows": ("pass", "unsupported:libdevice", _LIBDEVICE),
    "innocent/look_back": (
        "pass",
        "timeout",
        "it waits for programs that the interpreter starts only when it has ended",
    ),
    "innocent/twin_half_to_even": ("pass", "unsupported:libdevice", _LIBDEVICE),
}
"""Candidates of the suite with another verdict as PTX than interpreted, and why."""

SHARED = {
    "and_of_masks": ("pass", "unsupported:target_dependent", _LOGIC),
    "bare_libdevice_import": ("pass", "unsupported:libdevice", _LIBDEVICE),
    "bf16_residual_add": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "bf16_residual_add_tail": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "bf16_linear": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "bf16_linear_first_half_k": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "bf16_flash_causal": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "bf16_flash_no_rescale": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "bf16_rmsnorm": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "bf16_rmsnorm_block_mean": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "fp8_e4m3_row_quant": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "fp8_e4m3_clamped_at_240": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "int8_row_quant": ("pass", "unsupported:libdevice", _LIBDEVICE),
    "int8_row_quant_truncates": ("wrong_output", "unsupported:libdevice", _LIBDEVICE),
    "libdevice_tanh_by_name": ("pass", "unsupported:libdevice", _LIBDEVICE),
    "libdevice_tanh_wrong_cubic": ("wrong_output", "unsupported:libdevice", _LIBDEVICE),
    "asm_tanh_approx_bf16": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "asm_bitfield_wrong_lut": ("wrong_output", "unsupported:inline_assembly", _ASSEMBLY),
    "scan_linear_recurrence_bf16": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "scan_wrong_combine": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "while_newton_reciprocal_root": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "while_too_few_steps": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "atomic_scatter_add_bf16_in": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "splitk_atomics": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "splitk_one_part_missing": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "autotune_five_configs_bf16": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "autotune_middle_config_wrong": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
    "rows_and_cols_bf16": ("pass", "unsupported:bfloat16", _BFLOAT16),
    "rows_and_cols_not_transposed": ("wrong_output", "unsupported:bfloat16", _BFLOAT16),
}
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
    names = [f"{each.group}/{each.name}" for each in candidates]
    assert _differences(names, found, interpreted) == _known(SUITE)


@pytest.mark.skipif(not shared.FOLDER.is_dir(), reason="the cases are kept outside the project")
def test_shared_cases_have_the_same_verdicts_on_both_tiers_but_for_what_is_listed() -> None:
    """The same of the cases that came from elsewhere."""
    cases = [case for file in ("redteam", "recall", "lowprec") for case in shared.load(file)]
    found, interpreted = (
        verify_all([case.pair for case in cases], VerifySettings(tier=tier), 2) for tier in ("ptx", "interpreter")
    )
    assert _differences([case.name for case in cases], found, interpreted) == _known(SHARED)
