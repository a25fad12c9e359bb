"""Every kernel of the corpus gives its truth on the machine; a few by default, all of them when slow."""

import pytest

from kbtools_plugins.ptx.compile import compile_kernel
from kbtools_plugins.ptx.faults import Trap
from tests.plugins.ptx.corpus import CASES, MODULES
from tests.plugins.ptx.coverage import suite
from tests.plugins.ptx.harness import Case, execute, run

LEAN = {case.name for module in MODULES for case in module.CASES[:1]} | {
    "dot_bf16",
    "spin_lock",
    "call",
    "sort_float32",
}


def check(case: Case) -> None:
    _, errors = run(case, assembles=True)
    assert errors, "a case has a truth"
    assert {name: error for name, error in errors.items() if error > case.tolerance} == {}


@pytest.mark.parametrize("case", [case for case in CASES if case.name in LEAN], ids=lambda case: case.name)
def test_a_kernel_gives_its_truth(case: Case) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in LEAN], ids=lambda case: case.name)
def test_every_kernel_gives_its_truth(case: Case) -> None:
    check(case)


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 120


def test_a_seed_moves_what_a_device_may_round_otherwise_and_nothing_else() -> None:
    cases = {case.name: case for case in CASES}
    report, exact = run(cases["softmax_float32"])
    assert any(opcode.startswith("ex2.approx") for opcode in report.approximate)
    moved = [run(cases["softmax_float32"], seed)[1]["out"] for seed in (1, 2)]
    assert exact["out"] < min(moved)
    assert max(moved) < 2e-6
    assert run(cases["cumsum"], 1)[1] == run(cases["cumsum"])[1]


def test_a_failed_assertion_of_a_kernel_is_a_trap() -> None:
    case = next(case for case in CASES if case.name == "device_assert_on")
    arguments = case.arguments()
    arguments["x"][7] = 1e31
    compiled = compile_kernel(case.kernel, arguments, case.options, case.target)
    with pytest.raises(Trap, match="thread 1"):
        execute(compiled, case.grid, arguments)


@pytest.mark.slow
def test_every_innocent_module_of_the_suite_gives_what_its_reference_gives() -> None:
    found = [*suite()]
    assert sum(len(reports) for _, reports, _ in found) >= 80
    assert {name: fault for name, _, fault in found if fault} == {}
