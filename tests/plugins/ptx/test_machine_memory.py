"""Global memory: every access is checked, and what was never written is known."""

import numpy as np
import pytest

from kbtools_plugins.ptx.faults import GlobalRace, Misaligned, OutOfBounds, Uninitialised
from tests.plugins.ptx.ptx_kernels import AT, buffer, empty, kernel, numbers, run


def test_a_kernel_computes_what_it_says():
    """Four programs of 32 threads add 1."""
    x, out = buffer(range(128)), empty(128)
    report = run(
        kernel(AT + "ld.global.u32 %r4, [%d3];\nadd.s32 %r4, %r4, 1;\nst.global.u32 [%d4], %r4;"), x, out, grid=(4,)
    )
    assert numbers(out) == list(range(1, 129))
    assert out.initialised.all()
    assert report.instructions == 12 * 128


def test_reading_past_the_end_names_line_program_and_thread():
    """Program 3 is the first that finds nothing there."""
    with pytest.raises(OutOfBounds, match="reads 4 bytes past the end of x, which has 400") as caught:
        run(kernel(AT + "ld.global.u32 %r4, [%d3];"), buffer(range(100)), empty(128), grid=(4,))
    assert (caught.value.line.number, caught.value.program, caught.value.thread) == (10, (3, 0, 0), 4)
    assert str(caught.value) == "line 10 reads 4 bytes past the end of x, which has 400, in program 3, thread 4"


def test_an_access_before_the_start_is_told_as_such():
    """The made-up address then lies in the span of the buffer before."""
    text = AT + "st.global.u32 [%d4+-8], %r0;"
    with pytest.raises(OutOfBounds, match="writes 4 bytes, 8 before the start of out"):
        run(kernel(text), buffer(range(32)), empty(32))


@pytest.mark.parametrize("address", ["0", "64", "0x7fffffffffffff00", "-16"])
def test_addresses_of_nothing(address):
    """Null pointers and invented addresses belong to no buffer."""
    with pytest.raises(OutOfBounds):
        run(kernel(f"mov.u64 %d0, {address};\nld.global.u32 %r4, [%d0];"), buffer([1]), empty(1))


def test_a_vector_has_to_be_aligned_as_a_whole():
    """A false `tl.multiple_of` shows here."""
    text = AT + "ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%d0+4];"
    with pytest.raises(Misaligned, match="reads 16 bytes at byte 4 of x"):
        run(kernel(text), buffer(range(64)), empty(1))


def test_threads_that_do_not_act_are_not_asked():
    """A masked load past the end is none, and keeps the register."""
    text = AT + "setp.lt.s32 %p0, %r3, 10;\nmov.u32 %r4, 7;\n@%p0 ld.global.u32 %r4, [%d3];\nst.global.u32 [%d4], %r4;"
    x, out = buffer(range(10)), empty(32)
    run(kernel(text), x, out)
    assert numbers(out) == [*range(10), *[7] * 22]


def test_one_load_may_reach_two_buffers():
    """Even threads read one, odd ones the other."""
    text = AT + (
        "and.b32 %r5, %r0, 1;\nsetp.eq.s32 %p0, %r5, 0;\nselp.b64 %d5, %d3, %d4, %p0;\nld.global.u32 %r4, [%d5];\n"
        "st.global.u32 [%d4], %r4;"
    )
    x, out = buffer(range(32)), buffer(range(100, 132), "out")
    run(kernel(text), x, out)
    assert numbers(out) == [at if at % 2 == 0 else 100 + at for at in range(32)]


def test_what_was_never_written_goes_through_arithmetic_to_the_output():
    """The output is marked, byte by byte; the other half of a packed register is not."""
    x, out = buffer(range(32)), empty(32)
    x.initialised = np.ones(128, np.uint8)
    x.initialised[4:6] = 0
    run(kernel(AT + "ld.global.u32 %r4, [%d3];\nand.b32 %r4, %r4, 65535;\nst.global.u32 [%d4], %r4;"), x, out)
    assert np.flatnonzero(out.initialised == 0).tolist() == [4, 5]
    out = empty(32)
    run(kernel(AT + "ld.global.u32 %r4, [%d3];\nadd.s32 %r4, %r4, 1;\nst.global.u32 [%d4], %r4;"), x, out)
    assert np.flatnonzero(out.initialised == 0).tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(
    "use",
    [
        "mul.wide.s32 %d5, %r4, 4;\nadd.s64 %d5, %d0, %d5;\nld.global.u32 %r5, [%d5];",
        "setp.eq.s32 %p0, %r4, 0;\n@%p0 bra DONE;\nst.global.u32 [%d3], %r4;\nDONE:",
        "setp.eq.s32 %p0, %r4, 0;\n@%p0 st.global.u32 [%d3], %r0;",
    ],
    ids=["address", "branch", "guard"],
)
def test_deciding_by_what_was_never_written_is_a_fault(use):
    """An address, a branch, a mask."""
    with pytest.raises(Uninitialised, match="nothing was written to"):
        run(kernel(AT + f"ld.global.u32 %r4, [%d4];\n{use}"), buffer(range(32)), empty(32))


@pytest.mark.parametrize("register", ["%smid", "%clock", "%globaltimer_lo"])
def test_nothing_may_depend_on_when_and_where_a_kernel_runs(register):
    """It may be stored, as profilers do, where no result is."""
    out = empty(32)
    run(kernel(AT + f"mov.u32 %r4, {register};\nst.global.u32 [%d4], %r4;"), buffer(range(32)), out)
    assert not out.initialised.any()
    branch = f"mov.u32 %r4, {register};\nsetp.eq.s32 %p0, %r4, 7;\n@%p0 bra DONE;\nst.global.u32 [%d4], %r4;\nDONE:"
    with pytest.raises(Uninitialised, match="a clock or the number of a multiprocessor"):
        run(kernel(AT + branch), buffer(range(32)), empty(32))


def test_what_is_not_chosen_does_not_count():
    """selp takes the written one, xor of a register with itself and a masked bit are known."""
    text = AT + (
        "ld.global.u32 %r4, [%d4];\nsetp.ge.s32 %p0, %r0, 0;\nselp.b32 %r5, %r0, %r4, %p0;\nand.b32 %r6, %r4, 0;\n"
        "or.b32 %r5, %r5, %r6;\nst.global.u32 [%d3], %r5;"
    )
    x = buffer(range(32))
    x.initialised = np.zeros(128, np.uint8)
    run(kernel(text), x, empty(32))
    assert x.initialised.all()


def test_a_register_that_was_never_written_is_legal_until_it_decides():
    """Triton's packed conversions read some."""
    out = empty(32)
    run(kernel(AT + "mov.b32 %r5, {%h0, %h1};\nst.global.u32 [%d4], %r5;"), buffer([0]), out)
    assert not out.initialised.any()


RACES = {
    "reads": "ld.global.u32 %r4, [%d4];\n",
    "changes": "add.s32 %r5, %r1, 5;\nst.global.u32 [%d4], %r5;\n",
}


@pytest.mark.parametrize("what", RACES)
def test_programs_that_touch_what_another_one_writes_race(what):
    """Program 1 goes to the places of program 0 after that has written."""
    text = AT + (
        "st.global.u32 [%d4], %r3;\nbar.sync 0;\nand.b32 %r6, %r3, 31;\nmul.wide.s32 %d5, %r6, 4;\n"
        f"add.s64 %d4, %d1, %d5;\n{RACES[what]}"
    )
    with pytest.raises(GlobalRace, match=f"{what} .*another program has written.* at line 10") as caught:
        run(kernel(text), buffer([0]), empty(64), grid=(2,))
    assert caught.value.program == (1, 0, 0)
    assert caught.value.other.number == 10


def test_writing_the_same_again_does_no_harm():
    """Overlapping tails are written by two programs."""
    text = AT + "and.b32 %r6, %r3, 31;\nmul.wide.s32 %d5, %r6, 4;\nadd.s64 %d4, %d1, %d5;\nst.global.u32 [%d4], %r6;"
    out = empty(32)
    run(kernel(text), buffer([0]), out, grid=(2,))
    assert numbers(out) == list(range(32))


def test_threads_of_one_store_that_differ_race():
    """All threads write to one place."""
    with pytest.raises(GlobalRace, match="different values to one place of out"):
        run(kernel(AT + "st.global.u32 [%d1], %r0;"), buffer([0]), empty(1))


def test_warps_race_in_global_memory_without_a_barrier():
    """The upper warp reads what the lower one wrote; with a barrier it may."""
    swap = "xor.b32 %r6, %r0, 32;\nmul.wide.s32 %d5, %r6, 4;\nadd.s64 %d5, %d1, %d5;\nld.global.u32 %r7, [%d5];"
    with pytest.raises(GlobalRace, match="another warp of the same program"):
        run(kernel(AT + f"st.global.u32 [%d4], %r3;\n{swap}", threads=64), buffer([0]), empty(64))
    run(kernel(AT + f"st.global.u32 [%d4], %r3;\nbar.sync 0;\n{swap}", threads=64), buffer([0]), empty(64))


def test_atomic_operations_take_turns_and_order_programs():
    """Each thread of two programs finds another number; nothing is lost."""
    text = AT + "atom.global.gpu.acq_rel.add.u32 %r4, [%d0], 1;\nst.global.u32 [%d4], %r4;"
    x, out = buffer([0]), empty(64)
    run(kernel(text), x, out, grid=(2,))
    assert numbers(x) == [64]
    assert numbers(out) == list(range(64))


def test_shared_local_and_global_memory_have_generic_addresses():
    """cvta leads there and back; a generic store finds the space."""
    variables = ".shared .align 4 .b8 s[128];\n"
    text = AT + (
        ".local .align 4 .b8 l[8];\nmov.u32 %r5, s;\ncvt.u64.u32 %d5, %r5;\ncvta.shared.u64 %d5, %d5;\n"
        "mul.wide.u32 %d6, %r0, 4;\nadd.s64 %d5, %d5, %d6;\nst.u32 [%d5], %r0;\nld.u32 %r6, [%d5];\n"
        "mov.u64 %d7, l;\ncvta.local.u64 %d7, %d7;\nst.u32 [%d7+4], %r6;\nld.local.u32 %r7, [l+4];\nst.u32 [%d4], %r7;"
    )
    out = empty(32)
    run(kernel(text, variables=variables), buffer([0]), out)
    assert numbers(out) == list(range(32))
