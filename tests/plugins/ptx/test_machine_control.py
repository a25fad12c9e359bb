"""Control flow: threads and programs that go different ways, locks, barriers, limits."""

import pytest

from kbtools_plugins.ptx.faults import BadText, Deadlock, Divergence, LimitExceeded, Trap, Unsupported
from kbtools_plugins.ptx.machine.limits import LaunchLimits
from tests.plugins.ptx.ptx_kernels import AT, buffer, empty, kernel, numbers, run


def test_threads_that_part_meet_again():
    """Each thread counts to its own number; then a shuffle needs all of them."""
    text = AT + (
        "mov.u32 %r4, 0;\nLOOP:\nsetp.ge.s32 %p0, %r4, %r0;\n@%p0 bra DONE;\nadd.s32 %r4, %r4, 1;\nbra LOOP;\nDONE:\n"
        "shfl.sync.bfly.b32 %r5, %r4, 1, 31, -1;\nst.global.u32 [%d4], %r5;"
    )
    out = empty(64)
    run(kernel(text), buffer([0]), out, grid=(2,))
    assert numbers(out) == 2 * [at ^ 1 for at in range(32)]


def test_threads_meet_again_where_rare_code_is_at_the_end_of_the_text():
    """Odd threads go to code behind the end and come back in front of a shuffle, in each round of a loop."""
    text = AT + (
        "mov.u32 %r4, 0;\nmov.u32 %r5, 0;\nand.b32 %r6, %r0, 1;\nsetp.eq.s32 %p0, %r6, 1;\nLOOP:\n@%p0 bra RARE;\n"
        "add.s32 %r4, %r4, 1;\nJOIN:\nshfl.sync.bfly.b32 %r4, %r4, 1, 31, -1;\nadd.s32 %r5, %r5, 1;\n"
        "setp.lt.s32 %p1, %r5, 3;\n@%p1 bra LOOP;\nst.global.u32 [%d4], %r4;\nret;\nRARE:\nadd.s32 %r4, %r4, 10;\n"
        "bra JOIN;"
    )
    out = empty(32 * 2)
    run(kernel(text), buffer([0]), out, grid=(2,))
    assert numbers(out) == 32 * [21, 12]


def test_threads_that_leave_two_loops_wait_for_those_within():
    """Each thread adds up rounds of an inner loop of its own length; then a shuffle needs all of them."""
    text = AT + (
        "mov.u32 %r4, 0;\nmov.u32 %r5, 0;\nand.b32 %r8, %r0, 3;\nbra OUTER;\nMEET:\n"
        "shfl.sync.bfly.b32 %r7, %r4, 1, 31, -1;\nst.global.u32 [%d4], %r7;\nret;\n"
        "OUTER:\nsetp.gt.s32 %p0, %r5, %r8;\n@%p0 bra MEET;\nmov.u32 %r6, 0;\n"
        "INNER:\nadd.s32 %r4, %r4, 1;\nadd.s32 %r6, %r6, 1;\nsetp.le.s32 %p1, %r6, %r5;\n@%p1 bra INNER;\n"
        "add.s32 %r5, %r5, 1;\nbra OUTER;"
    )
    out = empty(32)
    run(kernel(text), buffer([0]), out)
    assert numbers(out) == 8 * [3, 1, 10, 6]


def test_programs_have_trip_counts_of_their_own():
    """Program n adds up to n."""
    text = AT + (
        "mov.u32 %r4, 0;\nmov.u32 %r5, 0;\nLOOP:\nsetp.gt.s32 %p0, %r5, %r1;\n@%p0 bra DONE;\nadd.s32 %r4, %r4, %r5;\n"
        "add.s32 %r5, %r5, 1;\nbar.sync 0;\nbra LOOP;\nDONE:\nst.global.u32 [%d4], %r4;"
    )
    out = empty(32 * 9)
    run(kernel(text), buffer([0]), out, grid=(9,))
    assert numbers(out)[::32] == [n * (n + 1) // 2 for n in range(9)]


def test_programs_that_return_early_write_nothing():
    """The others go on without a mask being lost."""
    text = AT + "and.b32 %r5, %r1, 1;\nsetp.eq.s32 %p0, %r5, 1;\n@%p0 ret;\nst.global.u32 [%d4], %r1;"
    out = empty(32 * 4)
    run(kernel(text), buffer([0]), out, grid=(4,))
    assert numbers(out)[::32] == [0, 0, 2, 0]
    assert out.initialised.reshape(4, 128).any(axis=1).tolist() == [True, False, True, False]


LOCK = """
ld.param.u64 %d0, [k_param_0];
ld.param.u64 %d1, [k_param_1];
mov.u32 %r0, %tid.x;
setp.eq.s32 %p0, %r0, 0;
SPIN:
mov.u32 %r4, 1;
@%p0 atom.global.acquire.gpu.cas.b32 %r4, [%d0], 0, 1;
mov.u32 %r6, 0;
shfl.sync.idx.b32 %r5, %r4, 0, 31, -1;
setp.ne.s32 %p1, %r5, 0;
@%p1 bra SPIN;
ld.global.u32 %r7, [%d1];
add.s32 %r7, %r7, 1;
@%p0 st.global.u32 [%d1], %r7;
@%p0 atom.global.release.gpu.exch.b32 %r8, [%d0], 0;
"""


def test_programs_that_spin_on_a_lock_come_to_an_end():
    """Sixteen programs count one after another."""
    count = buffer([0], "count")
    run(kernel(LOCK), buffer([0], "lock"), count, grid=(16,))
    assert numbers(count) == [16]


def test_a_program_may_wait_for_a_later_one():
    """Program 0 waits until the last one has written."""
    text = AT + (
        "setp.ne.s32 %p0, %r1, 0;\n@%p0 bra WRITE;\nWAIT:\nld.acquire.gpu.global.u32 %r4, [%d0];\n"
        "setp.eq.s32 %p1, %r4, 0;\n@%p1 bra WAIT;\nbra DONE;\nWRITE:\nsetp.ne.s32 %p2, %r1, 7;\n@%p2 bra DONE;\n"
        "atom.global.gpu.exch.b32 %r5, [%d0], 1;\nDONE:"
    )
    flag = buffer([0], "flag")
    run(kernel(text), flag, empty(1), grid=(8,), limits=LaunchLimits(seconds=30))
    assert numbers(flag) == [1]


def test_a_barrier_that_some_threads_never_reach_is_a_deadlock():
    """One warp waits at another barrier for ever."""
    text = AT + "setp.lt.s32 %p0, %r0, 32;\n@%p0 bra LOW;\nbar.sync 1;\nbra DONE;\nLOW:\nbar.sync 2;\nDONE:"
    with pytest.raises(Deadlock, match="line 12 and line 15"):
        run(kernel(text, threads=64), buffer([0]), empty(1))


def test_threads_of_one_warp_may_not_pass_different_barriers():
    """On a device that is undefined."""
    text = AT + "setp.lt.s32 %p0, %r0, 16;\n@%p0 bra LOW;\nbar.sync 0;\nbra DONE;\nLOW:\nbar.sync 0;\nDONE:"
    with pytest.raises(Divergence, match="different barriers"):
        run(kernel(text), buffer([0]), empty(1))


def test_a_shuffle_needs_the_threads_that_it_names():
    """Half of the warp is elsewhere."""
    text = AT + "setp.lt.s32 %p0, %r0, 16;\n@%p0 bra LOW;\nshfl.sync.bfly.b32 %r5, %r0, 1, 31, -1;\nLOW:"
    with pytest.raises(Divergence, match="shfl.sync.bfly.b32 names threads") as caught:
        run(kernel(text), buffer([0]), empty(1))
    assert (caught.value.line.number, caught.value.thread) == (12, 0)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (LaunchLimits(steps=1000), "more than 1000 steps"),
        (LaunchLimits(instructions=1000), "more than 1000 instructions"),
        (LaunchLimits(seconds=0.2), "seconds of processor time"),
    ],
)
def test_a_kernel_that_does_not_end_is_ended(limits, message):
    """With the line where it was."""
    with pytest.raises(LimitExceeded, match=message) as caught:
        run(kernel(AT + "LOOP:\nadd.s32 %r4, %r0, 1;\nbra LOOP;"), buffer([0]), empty(1), limits=limits)
    assert caught.value.line.number in (1, 11)


def test_memory_is_bounded():
    """A program with more shared memory than the launch may take is not begun."""
    with pytest.raises(LimitExceeded, match="needs more than"):
        run(kernel(AT), buffer([0]), empty(1), shared_bytes=1 << 30, limits=LaunchLimits(memory=1 << 20))


def test_a_trap_names_the_thread():
    """Only where its guard holds."""
    with pytest.raises(Trap) as caught:
        run(kernel(AT + "setp.eq.s32 %p0, %r3, 70;\n@%p0 trap;"), buffer([0]), empty(1), grid=(4,))
    assert (caught.value.program, caught.value.thread) == ((2, 0, 0), 6)


@pytest.mark.parametrize(
    "opcode", ["wgmma.fence.sync.aligned", "tcgen05.alloc", "add.s33 %r4, %r4, %r4", "frobnicate.u32 %r4"]
)
def test_what_is_not_in_the_table_is_named(opcode):
    """Never a guess."""
    with pytest.raises(Unsupported, match=f"ptx:{opcode.split(' ')[0]}") as caught:
        run(kernel(AT + f"{opcode};"), buffer([0]), empty(1))
    assert caught.value.line.number == 10


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k() { .reg .b32 %r<4>; mov.u32 %r1,",
    ],
)
def test_text_that_is_no_ptx_is_refused(text):
    """With an error of its own."""
    with pytest.raises(BadText):
        run(text)


@pytest.mark.parametrize(
    "line",
    ["mov.u32 %r99, 1", "mov.u32 %r1, nowhere", "bra NOWHERE", "ld.global.u32 %r1, %r2", ".reg .b32 %z<99999999999>"],
)
def test_a_bad_operand_is_refused(line):
    """Registers, variables and labels have to exist."""
    with pytest.raises((BadText, Unsupported)):
        run(kernel(f"{line};"), buffer([0]), empty(1))


def test_shadows_of_large_buffers_are_bounded():
    """Looking for races costs four times a buffer of 32-bit numbers."""
    text = kernel(AT + "st.global.u32 [%d4], %r0;")
    with pytest.raises(LimitExceeded, match="to see races in buffers as large as out"):
        run(text, buffer([0]), empty(1 << 20), limits=LaunchLimits(memory=1 << 23))
    run(text, buffer([0]), empty(1 << 20), limits=LaunchLimits(memory=1 << 23), check_races=False)


def test_a_text_that_is_too_large_is_refused():
    """Decoding it would take for ever."""
    with pytest.raises(BadText, match="more than 100000 statements"):
        run(kernel("ret;" * 100_000), buffer([0]), empty(1))


def test_a_grid_may_be_as_large_as_a_device_allows():
    """Programs are made as they are needed."""
    with pytest.raises(LimitExceeded, match="steps"):
        run(kernel("mov.u32 %r0, 1;"), buffer([0]), empty(1), grid=(2**31 - 1,), limits=LaunchLimits(steps=100))
