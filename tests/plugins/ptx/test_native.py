"""The machine in C gives what numpy gives, bit by bit, and takes nothing that does not fit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from kbtools_plugins.ptx.bits import UNSIGNED, Bits
from kbtools_plugins.ptx.instructions.matrices import Fragments
from kbtools_plugins.ptx.native import bytecode, library, matrix, source
from kbtools_plugins.ptx.native.bytecode import BETWEEN, GIVEN, OPERAND, STEP, WANTED, address
from kbtools_plugins.ptx.native.rule import Rule
from kbtools_plugins.ptx.native.table import TABLE, code
from kbtools_plugins.ptx.numerics import matrix_product
from kbtools_plugins.ptx.numerics.formats import FORMATS, nearest
from tests.plugins.ptx.corpus import CASES, MODULES
from tests.plugins.ptx.harness import Case, compile_kernel, execute

pytestmark = pytest.mark.skipif(library.library() is None, reason=library.state())
LEAN = {case.name for module in MODULES for case in module.CASES[:2]}
ENDS = {
    16: (0, 1, 0x8000, 0x8001, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0x7F7F, 0x7F80, 0x7FFF, 0xFC00, 0xFFFF),
    32: (0, 1, 0x80000000, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FFFFFFF, 0xFF800000, 0xFFFFFFFF,
         0x4F000000, 0xCF000000, 0x4F800000, 0x5F000000, 0x477FEFFF, 0x477FF000, 0x387FFFFF, 0x7E800001),
    64: (0, 1, 1 << 63, 1 << 52, 0x7FF << 52, 0xFFF << 52, (0x7FF << 52) + 1, (1 << 63) - 1, (1 << 64) - 1),
}  # fmt: skip
"""Where kinds of numbers begin and end."""


def operand(width: int, count: int, generator: np.random.Generator) -> Bits:
    """Any bits, small whole numbers of both signs, floats with few digits, and the ends."""
    if width == 1:
        return generator.integers(0, 2, (1, count)).astype(np.bool_)
    kind = UNSIGNED[width]
    any_bits = generator.integers(0, 1 << width, count, dtype=np.uint64).astype(kind)
    if width == 8:
        return any_bits[None]
    small = generator.integers(-80, 81, count).astype(np.int64).astype(kind)
    scale = 2.0 ** generator.integers(-10, 11, count)
    few = (generator.integers(-31, 32, count) * scale).astype(f"f{width // 8}").view(kind)
    ends = np.array(ENDS[width], np.uint64).astype(kind)[generator.integers(0, len(ENDS[width]), count)]
    which = generator.integers(0, 10, count)
    return np.select([which < 4, which < 6, which < 9], [any_bits, small, few], ends)[None]


def in_c(name: str, rule: Rule, given: list[Bits]) -> Bits | None:
    """One rule on arrays of one row; None where it is not sure."""
    made = np.zeros(given[0].shape, UNSIGNED[rule.result])
    arrays, count = [*given, made], given[0].shape[1]
    roles = [GIVEN] * len(given) + [WANTED]
    rows = [(address(a), a.nbytes, count, 1, a.itemsize, role) for a, role in zip(arrays, roles, strict=True)]
    sources = [*range(len(given)), *[0] * (4 - len(given))]
    steps = np.array([(code(name), len(given), *sources)], STEP)
    return made if bytecode.interpret(steps, np.array(rows, OPERAND), 1, count) else None


def wrong(name: str, count: int, seed: int) -> int:
    """Results of a rule that differ; operands that C leaves to numpy, fewer than one in a hundred, count as none."""
    rule, generator, found, left = TABLE[name], np.random.default_rng(seed), 0, 0
    for _ in range(-(-count // 4096)):
        given = [operand(width, 4096, generator) for width in rule.sources]
        with np.errstate(all="ignore"):
            truth = np.broadcast_to(rule.function(*given), (1, 4096))
        unlike, unsure = apart(name, given, truth)
        found, left = found + unlike, left + unsure
    assert left <= 1 + count // 100
    return found


def apart(name: str, given: list[np.ndarray], truth: np.ndarray) -> tuple[int, int]:
    """How many results differ, and how many C leaves to numpy: it leaves all that it is asked for at once."""
    got = in_c(name, TABLE[name], given)
    if got is not None:
        return int((got != truth).sum()), 0
    if truth.size == 1:
        return 0, 1
    half = truth.shape[1] // 2
    halves = [([one[:, part].copy() for one in given], truth[:, part]) for part in (slice(half), slice(half, None))]
    (unlike, unsure), (more_unlike, more_unsure) = [apart(name, *one) for one in halves]
    return unlike + more_unlike, unsure + more_unsure


def test_each_rule_is_equal_in_both() -> None:
    assert len(TABLE) > 450
    assert {name: count for name in TABLE if (count := wrong(name, 4096, 0))} == {}


@pytest.mark.slow
def test_each_rule_is_equal_in_both_on_a_million_operands() -> None:
    assert {name: count for name in TABLE if (count := wrong(name, 1_000_000, 1))} == {}


class Warps:
    """A group as far as mma looks at it."""

    threads = 128


@pytest.mark.parametrize(
    ("kinds", "depth"),
    [
        (("bf16", "bf16"), 16),
        (("f16", "f16"), 8),
        (("f16", "f16"), 16),
        (("tf32", "tf32"), 4),
        (("tf32", "tf32"), 8),
        (("e4m3", "e5m2"), 32),
        (("e5m2", "e5m2"), 16),
    ],
)
@pytest.mark.parametrize("few", [True, False])
def test_a_product_of_matrices_is_equal_in_both(kinds: tuple[str, str], depth: int, few: bool) -> None:
    generator = np.random.default_rng(depth)
    fragments = Fragments(depth, FORMATS[kinds[0]].width, 32)

    def registers(count: int, kind: str) -> list[Bits]:
        each = 32 // FORMATS[kind].width
        size = (count, 50 * 128 * each)
        values = generator.integers(-31, 32, size) * 2.0 ** generator.integers(-6, 7, size)
        values = values if few else generator.standard_normal(size)
        return [np.ascontiguousarray(nearest(row, FORMATS[kind])).view(np.uint32).reshape(50, 128) for row in values]

    parts = (registers(fragments.a_count, kinds[0]), registers(fragments.b_count, kinds[1]), registers(4, "f32"))
    got = matrix.product(Warps(), kinds, depth, parts, 50)  # type: ignore[arg-type]
    flat = [[each.reshape(-1, 32) for each in part] for part in parts]
    truth = matrix_product(*kinds, "f32")(
        fragments.left(flat[0]), fragments.right(flat[1]), fragments.gathered(flat[2])
    )
    assert got is not None
    for mine, other in zip(got, fragments.scattered(truth), strict=True):
        assert np.array_equal(mine.reshape(-1, 32), other)


def left_by(case: Case, machine: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, bytes]]:
    """Instructions of a launch, and all that it leaves in memory."""
    if machine == "numpy":
        monkeypatch.setenv(library.CACHE, "")
    else:
        monkeypatch.delenv(library.CACHE, raising=False)
    library.found.cache_clear()
    library.library.cache_clear()
    torch.manual_seed(0)
    arguments = case.arguments()
    compiled = compile_kernel(case.kernel, arguments, case.options, case.target)
    report = execute(compiled, case.grid, arguments, check_races=case.races)
    tensors = {name: value for name, value in arguments.items() if isinstance(value, torch.Tensor)}
    return report.instructions, {name: bytes(value.reshape(-1).view(torch.uint8)) for name, value in tensors.items()}


def check(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [left_by(case, machine, monkeypatch) for machine in ("numpy", "C")]
    library.found.cache_clear()
    library.library.cache_clear()
    assert found[0] == found[1]


@pytest.mark.usefixtures("all_in_c")
@pytest.mark.parametrize("case", [case for case in CASES if case.name in LEAN], ids=lambda case: case.name)
def test_a_kernel_leaves_the_same_on_both(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    check(case, monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("all_in_c")
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in LEAN], ids=lambda case: case.name)
def test_every_kernel_leaves_the_same_on_both(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    check(case, monkeypatch)


def adding(change: dict[tuple[int, int], int], steps: dict[tuple[int, int], int], outer: int = 2) -> bool:
    """a + b for two programs of eight threads, with some numbers of the bytecode changed."""
    a, b, made = (np.ones((2, 8), np.uint32) for _ in range(3))
    rows = [(address(each), each.nbytes, 8, 1, 4, role) for each, role in ((a, GIVEN), (b, GIVEN), (made, WANTED))]
    operands = np.array([*rows, (0, 0, 0, 0, 4, BETWEEN)], OPERAND)
    program = np.array([(code("add.u32"), 2, 0, 1, 0, 0)], STEP)
    for place, value in change.items():
        operands[place] = value
    for place, value in steps.items():
        program[place] = value
    return bytecode.interpret(program, operands, outer, 8)


def test_bytecode_that_fits_is_done() -> None:
    assert adding({}, {})


@pytest.mark.parametrize(
    ("change", "steps", "outer"),
    [
        ({(0, 1): 63}, {}, 2),
        ({(0, 2): 9}, {}, 2),
        ({(0, 2): -8}, {}, 2),
        ({(0, 3): 2}, {}, 2),
        ({(0, 4): 8}, {}, 2),
        ({(0, 4): 3}, {}, 2),
        ({(0, 0): 0}, {}, 2),
        ({(2, 3): 0}, {}, 2),
        ({(2, 5): GIVEN}, {}, 2),
        ({(2, 5): 7}, {}, 2),
        ({}, {(0, 0): 100_000}, 2),
        ({}, {(0, 0): -1}, 2),
        ({}, {(0, 1): 4}, 2),
        ({}, {(0, 2): -1}, 2),
        ({}, {(0, 3): 4}, 2),
        ({}, {(0, 3): 2}, 2),
        ({}, {(0, 3): 3}, 2),
        ({}, {}, 3),
        ({}, {}, 1 << 40),
        ({}, {}, 0),
    ],
)
def test_bytecode_that_does_not_fit_its_operands_is_refused(
    change: dict[tuple[int, int], int], steps: dict[tuple[int, int], int], outer: int
) -> None:
    with pytest.raises(AssertionError, match="does not fit"):
        adding(change, steps, outer)


def test_a_machine_without_a_compiler_runs_in_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    library.found.cache_clear()
    assert library.state() == "numpy alone: there is no C compiler (cc)"
    library.found.cache_clear()


def test_a_compiler_that_fails_is_named_with_what_it_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "cc"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "no luck" >&2\nexit 1\n', encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv(library.CACHE, str(tmp_path / "kept"))
    library.found.cache_clear()
    assert library.state() == f"numpy alone: {fake} could not build what can be loaded: no luck"
    library.found.cache_clear()


def test_a_library_that_cannot_be_loaded_leaves_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a folder from which nothing may be run."""
    bad = tmp_path / "bad.so"
    bad.write_text("no library")
    monkeypatch.setattr(library, "built", lambda _: bad)
    library.found.cache_clear()
    assert library.state().startswith("numpy alone: ")
    assert "could not build what can be loaded" in library.state()
    library.found.cache_clear()


def test_a_folder_that_others_can_write_to_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv(library.CACHE, str(tmp_path))
    library.found.cache_clear()
    assert "can be written to by others" in library.state()
    library.found.cache_clear()


@pytest.mark.slow
def test_random_bytecode_and_accesses_never_leave_their_memory(tmp_path: Path) -> None:
    text = source.text() + Path(__file__).with_name("native_fuzz.c").read_text(encoding="utf-8")
    (tmp_path / "fuzz.c").write_text(text, encoding="utf-8")
    flags = ["-g", "-O0", "-std=gnu11", "-ffp-contract=off", "-fwrapv", "-fno-strict-aliasing",
             "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]  # fmt: skip
    built = subprocess.run(
        ["cc", *flags, "-o", str(tmp_path / "fuzz"), str(tmp_path / "fuzz.c"), "-lm"], capture_output=True, text=True
    )
    if built.returncode:
        pytest.skip(f"the compiler has no sanitizers: {built.stderr[-200:]}")
    done = subprocess.run([str(tmp_path / "fuzz"), "400000"], capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = dict(zip(("done", "refused", "accesses"), map(int, done.stdout.split()), strict=True))
    assert min(counts.values()) > 1000
