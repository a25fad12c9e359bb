"""Threads of a warp together, held against the manual's own words in Python."""

import numpy as np
import pytest

from tests.plugins.ptx.ptx_kernels import AT, buffer, empty, kernel, numbers, run

VALUES = np.random.default_rng(0).integers(0, 2**32, 64, dtype=np.uint32)
LOAD = AT + "ld.global.u32 %r4, [%d3];\n"


def shuffled(mode: str, by: int, clamp: int) -> list[int]:
    """The value that each thread gets, as the manual's pseudocode says."""
    found = []
    for thread in range(64):
        lane, base = thread % 32, thread // 32 * 32
        segment, limit = clamp >> 8 & 31, clamp & 31
        most, least = (lane & segment) | (limit & ~segment), lane & segment
        source, inside = {
            "up": (lane - by, lane - by >= most),
            "down": (lane + by, lane + by <= most),
            "bfly": (lane ^ by, (lane ^ by) <= most),
            "idx": (least | (by & ~segment & 31), (least | (by & ~segment & 31)) <= most),
        }[mode]
        found.append(int(VALUES[base + (source if inside else lane)]) + (1 << 32) * inside)
    return found


@pytest.mark.parametrize("mode", ["up", "down", "bfly", "idx"])
@pytest.mark.parametrize(("by", "width"), [(1, 32), (5, 32), (3, 8), (16, 16), (31, 32)])
def test_shuffles(mode, by, width):
    """Also within parts of a warp, and the predicate that says whether the source was inside."""
    clamp = (32 - width) << 8 | (0 if mode == "up" else 31)
    text = LOAD + (
        f"shfl.sync.{mode}.b32 %r5|%p0, %r4, {by}, {clamp}, -1;\nselp.u32 %r6, 1, 0, %p0;\n"
        "shl.b32 %r7, %r3, 3;\ncvt.u64.u32 %d5, %r7;\nadd.s64 %d5, %d1, %d5;\nst.global.v2.u32 [%d5], {%r5, %r6};"
    )
    out = empty(128)
    run(kernel(text, threads=64), buffer(VALUES), out)
    assert out.data.view(np.uint64).tolist() == shuffled(mode, by, clamp)


@pytest.mark.parametrize("threads", [64, 48])
def test_votes_ask_those_that_are_there(threads):
    """The last warp may have fewer threads."""
    text = LOAD + (
        "setp.lt.u32 %p0, %r4, 0x80000000;\nvote.sync.ballot.b32 %r5, %p0, -1;\nvote.sync.any.pred %p1, %p0, -1;\n"
        "vote.sync.all.pred %p2, %p0, -1;\nselp.u32 %r6, 1, 0, %p1;\nadd.u32 %r5, %r5, %r6;\nselp.u32 %r6, 1, 0, %p2;\n"
        "add.u32 %r5, %r5, %r6;\nst.global.u32 [%d4], %r5;"
    )
    out = empty(threads)
    run(kernel(text, threads=threads), buffer(VALUES[:threads]), out)
    for start in range(0, threads, 32):
        low = [bool(value < 2**31) for value in VALUES[start : min(threads, start + 32)]]
        ballot = sum(1 << at for at, yes in enumerate(low) if yes) + any(low) + all(low)
        assert numbers(out)[start : start + len(low)] == [ballot % 2**32] * len(low)


@pytest.mark.parametrize(
    ("name", "reduced"),
    [
        ("add.u32", lambda part: int(part.sum(dtype=np.uint64)) % 2**32),
        ("min.u32", lambda part: int(part.min())),
        ("max.s32", lambda part: int(part.view(np.int32).max()) % 2**32),
        ("xor.b32", lambda part: int(np.bitwise_xor.reduce(part))),
    ],
)
def test_reductions_over_a_warp(name, reduced):
    """Every thread gets the result."""
    out = empty(64)
    run(kernel(LOAD + f"redux.sync.{name} %r5, %r4, -1;\nst.global.u32 [%d4], %r5;", threads=64), buffer(VALUES), out)
    assert numbers(out) == [reduced(VALUES[start : start + 32]) for start in (0, 32) for _ in range(32)]


def test_threads_with_the_same_value_find_each_other():
    """match.any; elect takes the lowest of those that are named."""
    values = VALUES % 5
    text = LOAD + (
        "match.any.sync.b32 %r5, %r4, -1;\nelect.sync %r6|%p0, 0xFFFFFFF0;\n@%p0 mov.u32 %r5, 7;\n"
        "st.global.u32 [%d4], %r5;"
    )
    out = empty(64)
    run(kernel(text, threads=64), buffer(values), out)
    for start in (0, 32):
        part = values[start : start + 32].tolist()
        wanted = [sum(1 << at for at, other in enumerate(part) if other == own) for own in part]
        wanted[4] = 7
        assert numbers(out)[start : start + 32] == wanted


@pytest.mark.parametrize("transposed", ["", ".trans"])
def test_matrices_go_through_shared_memory_and_back(transposed):
    """ldmatrix of what was stored row by row gives each lane its two neighbours; stmatrix is its opposite."""
    matrix = np.arange(4 * 64, dtype=np.uint16)
    text = AT + (
        "shl.b32 %r5, %r0, 4;\nmov.u32 %r6, s;\nadd.u32 %r6, %r6, %r5;\ncvt.u64.u32 %d5, %r5;\nadd.s64 %d6, %d0, %d5;\n"
        "ld.global.v4.u32 {%r8, %r9, %r10, %r11}, [%d6];\nst.shared.v4.u32 [%r6], {%r8, %r9, %r10, %r11};\n"
        f"ldmatrix.sync.aligned.m8n8.x4{transposed}.shared.b16 {{%r12, %r13, %r14, %r15}}, [%r6];\n"
        f"stmatrix.sync.aligned.m8n8.x4{transposed}.shared.b16 [%r6], {{%r12, %r13, %r14, %r15}};\n"
        "add.s64 %d7, %d1, %d5;\nst.global.v4.u32 [%d7], {%r12, %r13, %r14, %r15};\n"
        "ld.shared.v4.u32 {%r16, %r17, %r18, %r19}, [%r6];\nst.global.v4.u32 [%d7+512], {%r16, %r17, %r18, %r19};"
    )
    out = empty(256)
    run(kernel(text, variables=".shared .align 16 .b8 s[512];"), buffer(matrix, kind=np.uint16), out)
    fragments, back = out.data.view(np.uint16).reshape(2, -1)
    blocks = matrix.reshape(4, 8, 8)
    blocks = blocks.transpose(0, 2, 1) if transposed else blocks
    wanted = [
        blocks[block, lane // 4, 2 * (lane % 4) + half] for lane in range(32) for block in range(4) for half in (0, 1)
    ]
    assert fragments.tolist() == [int(value) for value in wanted]
    assert back.tolist() == matrix.tolist()
