"""Shared memory: bounds, and races between warps per barrier and per group of async copies."""

import pytest

from kbtools_plugins.ptx.faults import OutOfBounds, SharedRace
from tests.plugins.ptx.ptx_kernels import AT, buffer, empty, kernel, numbers, run

SHARED = ".extern .shared .align 16 .b8 s[];\n"
PLACE = """shl.b32 %r5, %r0, 2;
mov.u32 %r6, s;
add.s32 %r6, %r6, %r5;
xor.b32 %r7, %r5, 128;
mov.u32 %r8, s;
add.s32 %r8, %r8, %r7;
"""
"""Own place in %r6, that of the same lane of the other warp in %r8: lines 10 to 15."""


def exchange(barrier: str) -> str:
    """Two warps exchange their numbers through shared memory."""
    return kernel(
        AT + PLACE + f"st.shared.u32 [%r6], %r0;\n{barrier}ld.shared.u32 %r9, [%r8];\nst.global.u32 [%d4], %r9;",
        threads=64,
        variables=SHARED,
    )


def test_warps_exchange_through_shared_memory_behind_a_barrier():
    """Each program has its own."""
    out = empty(128)
    run(exchange("bar.sync 0;\n"), buffer([0]), out, grid=(2,), shared_bytes=256)
    assert numbers(out) == 2 * [at ^ 32 for at in range(64)]


def test_a_missing_barrier_is_a_race_of_two_lines():
    """The line that reads, and the one that wrote."""
    with pytest.raises(SharedRace, match="line 17 reads .* line 16, with no barrier between them") as caught:
        run(exchange(""), buffer([0]), empty(64), shared_bytes=256)
    assert (caught.value.line.number, caught.value.other.number) == (17, 16)


def test_overwriting_what_another_warp_still_reads_is_a_race():
    """A loop needs its second barrier as well."""
    text = AT + PLACE + "st.shared.u32 [%r6], %r0;\nbar.sync 0;\nld.shared.u32 %r9, [%r8];\n{}st.shared.u32 [%r6], %r9;"
    with pytest.raises(SharedRace, match="line 19 overwrites .* another warp read at line 18"):
        run(kernel(text.format(""), threads=64, variables=SHARED), buffer([0]), empty(64), shared_bytes=256)
    run(kernel(text.format("bar.sync 0;\n"), threads=64, variables=SHARED), buffer([0]), empty(64), shared_bytes=256)


def test_threads_of_one_warp_are_in_step():
    """No barrier is needed between them."""
    text = (
        AT
        + PLACE
        + "xor.b32 %r8, %r6, 4;\nst.shared.u32 [%r6], %r0;\nld.shared.u32 %r9, [%r8];\nst.global.u32 [%d4], %r9;"
    )
    out = empty(32)
    run(kernel(text, variables=SHARED), buffer([0]), out, shared_bytes=256)
    assert numbers(out) == [at ^ 1 for at in range(32)]


def copies(wait: str) -> str:
    """Two groups of async copies, of which the first is read."""
    return kernel(
        AT
        + PLACE
        + "cp.async.ca.shared.global [%r6], [%d3], 4;\ncp.async.commit_group;\n"
        + "cp.async.ca.shared.global [%r6+256], [%d3], 4, 0;\ncp.async.commit_group;\n"
        + f"{wait}bar.sync 0;\nld.shared.u32 %r9, [%r8];\nst.global.u32 [%d4], %r9;",
        threads=64,
        variables=SHARED,
    )


@pytest.mark.parametrize("wait", ["", "cp.async.wait_group 2;\n"], ids=["none", "one too few"])
def test_reading_a_copy_that_was_not_waited_for_is_a_race(wait):
    """The barrier alone does not complete it."""
    with pytest.raises(SharedRace, match="cp.async of line 16 fills"):
        run(copies(wait), buffer(range(64)), empty(64), shared_bytes=512)


def test_a_copy_that_was_waited_for_is_there():
    """One group may still be on its way; bytes that the source does not have are 0."""
    out = empty(64)
    run(copies("cp.async.wait_group 1;\n"), buffer(range(64)), out, shared_bytes=512)
    assert numbers(out) == [at ^ 32 for at in range(64)]


def test_shared_memory_has_an_end():
    """The launch gives 64 bytes, the upper half of the warp goes past them."""
    with pytest.raises(OutOfBounds, match="writes 4 bytes at 64 of shared memory, which has 64") as caught:
        run(kernel(AT + PLACE + "st.shared.u32 [%r6], %r0;", variables=SHARED), buffer([0]), empty(1), shared_bytes=64)
    assert caught.value.thread == 16


def test_shared_memory_begins_unwritten():
    """What is read from it and goes to the output is marked there."""
    out = empty(32)
    run(
        kernel(AT + PLACE + "ld.shared.u32 %r9, [%r6];\nst.global.u32 [%d4], %r9;", variables=SHARED),
        buffer([0]),
        out,
        shared_bytes=128,
    )
    assert not out.initialised.any()
