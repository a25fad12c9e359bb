"""The hostile and innocent candidates: none of the first passes, all of the second do, and nothing is left behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from verify_suite import load, run

from kbtools_plugins.verify.steps import read

HARMLESS_WITHOUT_STATIC_RULES = {
    "global_counter",
    "clock",
    "environment",
    "poke_memory",
    "in_wrapper",
    "closure",
}
"""Tricks that do nothing where they are run: the kernels beside them are right; only a rule of taste rejects them."""


TWINS = {
    "bad_configuration": "twin_large_configuration autotune",
    "call_counting": "twin_counter",
    "constant_output": "twin_zero_fill",
    "credentials": "twin_environment",
    "ctypes": "language_alias",
    "cuda_graph": "shim_stream",
    "dead_branch": "twin_shape_checks twin_configuration",
    "decoy_kernel": "two_kernels twin_unused_torch",
    "disabled_recording": "autograd_function",
    "dynamic_code": "constants function_argument",
    "exception_fallback": "twin_try_reraise twin_try_import",
    "exit": "main_block",
    "files": "main_block",
    "forged_result": "two_outputs",
    "freed_memory": "twin_workspace",
    "hard_coded_shapes": "twin_shape_checks",
    "host_computation": "twin_parameter_scalar number_argument",
    "identity_kernel": "twin_partial_sums transpose twin_clone_input mask_of_integers",
    "initial_values": "twin_affine_norm twin_mask",
    "interpreter_detection": "twin_truth_values twin_configuration persistent_programs",
    "introspection": "nested_kernel module_list",
    "kill": "autotune_reset",
    "layout": "twin_channels_last twin_contiguous_instead_of_view",
    "library_operator": "autograd_function twin_custom_op",
    "lower_precision": "twin_half_accumulate half_inputs_widened",
    "machine_detection": "twin_kinds_of_tensors twin_fallbacks_for_the_host twin_version_switch",
    "mutated_input": "in_place out_argument twin_clone_input",
    "network": "main_block",
    "out_of_bounds": "transposed_weight three_dimensional_grid",
    "output_cache": "twin_cached_grid cached_weight",
    "partial_output": "two_magnitudes",
    "patched_name": "assigned_name language_alias",
    "race": "twin_last_program locked_sum look_back atomics overlapping_tail split_inner",
    "reference_access": "twin_copied_reference",
    "resources": "while_loop",
    "side_stream": "shim_stream",
    "stale_state": "batchnorm batchnorm_update_in_torch",
    "tensor_subclass": "custom_parameters",
    "thread": "twin_counter",
    "torch_compile": "autograd_function",
    "torch_fallback": "twin_unused_torch final_reshape",
    "training_branch": "twin_training_flag batchnorm",
    "value_ranges": "softmax online_softmax",
    "host_memory": "twin_made_on_host_and_moved",
    "rebound": "twin_constant_chosen",
    "sequence": "twin_workspace_cleared",
    "tuning": "twin_reset_to_zero",
    "uninitialised": "twin_running_minimum",
}
"""For each kind of trick, right candidates that come as near to it as honest code does."""


def _check(candidates: list, workers: int) -> list[str]:
    verdicts = run(candidates, workers)
    return [
        f"{candidate.kind}/{candidate.name}: {verdict.verdict} ({verdict.error})"
        for candidate, verdict in zip(candidates, verdicts, strict=True)
        if verdict.verdict not in candidate.expected
    ]


def test_suite_is_as_large_as_promised() -> None:
    """At least 80 hostile and 60 innocent candidates, two of each hostile kind with an innocent twin."""
    candidates = load()
    kinds = [candidate.kind for candidate in candidates if candidate.group == "hostile"]
    assert len(kinds) >= 80
    assert len(candidates) - len(kinds) >= 60
    assert all(kinds.count(kind) >= 2 for kind in kinds)
    innocent = {candidate.name for candidate in candidates if candidate.group == "innocent"}
    assert set(kinds) == set(TWINS)
    docs = (Path(__file__).parents[3] / "docs" / "verify.md").read_text()
    assert f"{len(kinds)} hostile candidates of {len(set(kinds))} kinds and {len(innocent)} innocent ones" in docs
    assert {name for names in TWINS.values() for name in names.split()} <= innocent


def test_one_of_each_kind_is_judged_as_expected() -> None:
    """One hostile candidate of each kind and every eighth innocent one."""
    candidates = load()
    hostile = {candidate.kind: candidate for candidate in candidates if candidate.group == "hostile"}
    innocent = [candidate for candidate in candidates if candidate.group == "innocent"][::8]
    assert _check([*hostile.values(), *innocent], workers=1) == []


@pytest.mark.slow
def test_whole_suite_is_judged_as_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 hostile candidates pass, 0 innocent ones are rejected, and no process or file outlives the run."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))  # other runs on this machine leave theirs in /tmp meanwhile
    children = _children_of(os.getpid())
    assert _check(load(), workers=2) == []
    assert list(own.iterdir()) == []
    assert _children_of(os.getpid()) <= children


@pytest.mark.slow
def test_static_rules_are_not_what_protects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any static rule only tricks that did nothing get through."""
    monkeypatch.setattr(read, "executed", lambda findings, ran: None)
    candidates = [candidate for candidate in load() if candidate.group == "hostile"]
    passed = {found.name for found, verdict in zip(candidates, run(candidates, 2), strict=True) if verdict.passed}
    assert passed <= HARMLESS_WITHOUT_STATIC_RULES


def _children_of(pid: int) -> set[int]:
    return {
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if (status := _read(path)) and status.rpartition(")")[2].split()[1] == str(pid) and "python" in status
    }


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
