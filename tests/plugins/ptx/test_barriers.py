"""Barriers and waits removed one by one from Triton's own code: what is missing is a race, what is not is none."""

import re
from dataclasses import replace

import pytest
import torch

from kbtools_plugins.ptx.compile import CompiledKernel, compile_kernel
from kbtools_plugins.ptx.faults import SharedRace
from tests.plugins.ptx.corpus import CASES
from tests.plugins.ptx.harness import Case, execute

KERNELS = 20
BARRIER = re.compile(r"bar\.sync\s+0;")
WAIT = re.compile(r"cp\.async\.wait_group\s+\d+;")


def races(case: Case, compiled: CompiledKernel) -> SharedRace | None:
    """The race of a launch."""
    torch.manual_seed(0)
    try:
        execute(compiled, case.grid, case.arguments())
    except SharedRace as race:
        return race
    return None


def without_each(compiled: CompiledKernel, pattern: re.Pattern[str]) -> list[CompiledKernel]:
    """The kernel without one of its barriers, for up to eight of them."""
    spots = [found.span() for found in pattern.finditer(compiled.text)][:8]
    return [replace(compiled, text=compiled.text[:start] + compiled.text[end:]) for start, end in spots]


def synchronising() -> list[tuple[Case, CompiledKernel]]:
    """Kernels of the corpus with barriers, half of them with async copies."""
    found: dict[bool, list[tuple[Case, CompiledKernel]]] = {True: [], False: []}
    for case in CASES:
        if case.races and "lock" not in case.name and min(len(kernels) for kernels in found.values()) < KERNELS // 2:
            compiled = compile_kernel(case.kernel, case.arguments(), case.options, case.target)
            if BARRIER.search(compiled.text):
                found[bool(WAIT.search(compiled.text))].append((case, compiled))
    return found[True][: KERNELS // 2] + found[False][: KERNELS // 2]


@pytest.mark.slow
def test_removed_barriers_are_found_and_no_others(record_property):
    """Half of the waits of Triton's pipelines repeat others, and some barriers come before the end only."""
    found: dict[str, list[SharedRace | None]] = {"barriers": [], "waits": []}
    for case, compiled in synchronising():
        assert races(case, compiled) is None, case.name
        found["barriers"] += [races(case, changed) for changed in without_each(compiled, BARRIER)]
        found["waits"] += [races(case, changed) for changed in without_each(compiled, WAIT)]
    shares = {what: (sum(race is not None for race in all_of), len(all_of)) for what, all_of in found.items()}
    record_property("found", str(shares))
    assert all(race is None or (race.line.number and race.other) for all_of in found.values() for race in all_of)
    assert shares["barriers"][0] >= 0.75 * shares["barriers"][1] > 50, shares
    assert shares["waits"][0] >= 0.25 * shares["waits"][1] > 5, shares
