"""Programs of one launch that wait for each other: right ones run in every order, wrong ones are races."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from kbtools_plugins.ptx.compile import compile_kernel
from kbtools_plugins.ptx.faults import GlobalRace
from tests.plugins.ptx.corpus import ordered as kernels
from tests.plugins.ptx.harness import execute
from tests.plugins.ptx.ptx_kernels import AT, buffer, kernel, numbers, run

N, B = 8, 256
ORDERS = [{}, {"reverse": True}, {"shift": 3}]


@dataclass(frozen=True)
class Pattern:
    """A kernel, what `out` has to hold, and how many mistakes it can be told to make."""

    kernel: object
    truth: Callable[[torch.Tensor], torch.Tensor]
    wrong: int
    grid: tuple[int, ...] = (N,)


def blocks(x):
    return x.view(N, B)


def total(x):
    return blocks(x).sum(0)


def neighbour(x):
    return blocks(x).roll(-1, 0).reshape(-1)


def counted(x):
    return (x.numel() + x.max())[None]


PATTERNS = {
    "last_arriver": Pattern(kernels.last_arriver, lambda x: x.sum()[None], 6),
    "reset_counter": Pattern(kernels.reset_counter, lambda x: x.sum() * torch.arange(1, 4), 1, (N, 3)),
    "spin_lock": Pattern(kernels.spin_lock, total, 4),
    "first_fills": Pattern(kernels.first_fills, total, 1),
    "stream_k": Pattern(kernels.stream_k, total, 2),
    "turns": Pattern(kernels.turns, total, 1),
    "look_back": Pattern(kernels.look_back, lambda x: x.cumsum(0), 2),
    "packed_look_back": Pattern(kernels.packed_look_back, lambda x: x.cumsum(0), 1),
    "grid_barrier": Pattern(kernels.grid_barrier, neighbour, 2),
    "master": Pattern(kernels.master, neighbour, 2),
    "histogram_then_sum": Pattern(kernels.histogram_then_sum, counted, 2),
    "split_k": Pattern(kernels.split_k, lambda x: total(x) * 2, 2),
    "chain": Pattern(kernels.chain, lambda x: x[:B], 1),
    "fenced": Pattern(kernels.fenced, total, 2),
    "volatile_spin": Pattern(kernels.volatile_spin, neighbour, 2),
    "tickets": Pattern(kernels.tickets, lambda x: x * 2, 1),
}
TWINS = [(name, wrong) for name, pattern in PATTERNS.items() for wrong in range(1, pattern.wrong + 1)]


def launched(pattern: Pattern, wrong: int, order: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """What a pattern leaves in `out`, and its input."""
    torch.manual_seed(0)
    x = torch.randint(0, 5, (N * B,)).float()
    arguments = {
        "x": x,
        "out": torch.zeros(N * B),
        "parts": torch.zeros(N * B),
        "count": torch.zeros(2 * N, dtype=torch.int32),
        "N": N,
        "B": B,
        "WRONG": wrong,
    }
    execute(compile_kernel(pattern.kernel, arguments, {}), pattern.grid, arguments, **order)
    return arguments["out"], x


def launched_in_every_order(pattern: Pattern, wrong: int) -> None:
    """Programs forward, backward, and from the third on."""
    for order in ORDERS:
        launched(pattern, wrong, order)


@pytest.mark.parametrize("name", PATTERNS)
def test_programs_that_wait_for_each_other_are_right_in_every_order(name):
    """Locks, counters, flags, barriers of the whole grid, scans in one pass, fences."""
    pattern = PATTERNS[name]
    for order in ORDERS:
        out, x = launched(pattern, 0, order)
        truth = pattern.truth(x)
        assert torch.equal(out[: truth.numel()], truth)


@pytest.mark.parametrize(("name", "wrong"), TWINS)
def test_programs_that_do_not_wait_long_enough_race(name, wrong):
    """Counts that are off by one, flags before data, relaxed operations, plain loads; whichever order shows it."""
    with pytest.raises(GlobalRace, match="another|several threads at once"):
        launched_in_every_order(PATTERNS[name], wrong)


def test_a_flag_that_is_raised_before_all_warps_have_stored_orders_nothing_of_them():
    """Thread 0 releases; without a barrier before it, what the second warp stores may come later."""
    text = AT + (
        "setp.eq.u32 %p0, %r1, 0;\n@!%p0 bra READ;\nst.global.u32 [%d3], 7;\n{barrier}\nsetp.eq.u32 %p1, %r0, 0;\n"
        "@%p1 st.global.release.gpu.u32 [%d1], 1;\nbra DONE;\nREAD:\nld.global.acquire.gpu.u32 %r4, [%d1];\n"
        "setp.eq.u32 %p2, %r4, 0;\n@%p2 bra READ;\nmul.wide.s32 %d5, %r0, 4;\nadd.s64 %d5, %d0, %d5;\n"
        "ld.global.u32 %r5, [%d5];\nst.global.u32 [%d4], %r5;\nDONE:"
    )
    out = buffer([0] * 128, "out")
    run(kernel(text.format(barrier="bar.sync 0;"), threads=64), buffer([0] * 128), out, grid=(2,))
    assert numbers(out)[64:] == [7] * 64
    with pytest.raises(GlobalRace, match="reads from x what another program has written"):
        run(kernel(text.format(barrier=""), threads=64), buffer([0] * 128), buffer([0] * 128, "out"), grid=(2,))
