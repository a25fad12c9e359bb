"""Which of a launch's numbers its kernel goes through in which blocks is read from the kernel's text."""

from __future__ import annotations

import ast

import pytest

from kbtools_plugins.verify.candidate import kernels
from kbtools_plugins.verify.candidate.relations.launches import relations
from kbtools_plugins.verify.protocol.reading import Kernel, NumberedLaunch, RelationsJob
from kbtools_plugins.verify.protocol.trace import TraceStep
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.steps.coverage import covers_otherwise

_HEAD = "import triton\nimport triton.language as tl\n\n"


def _found(body: str, grid: tuple[int, ...] = (4, 1, 1), helper: str = "", **bound: Tree) -> set[tuple[int, int]]:
    """Extents and blocks of a kernel with this body, and these arguments; those in capitals are constants."""
    parameters = ", ".join(f"{name}: tl.constexpr" if name.isupper() else name for name in bound)
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    text = f"{_HEAD}{helper}\n@triton.jit\ndef kernel({parameters}):\n{lines}\n"
    source = kernels.extract(ast.parse(text))
    constants = source.kernels["kernel"][0].constants
    launch = NumberedLaunch(kernel="kernel", grid=list(grid), bound=bound, constants=constants)
    reply = relations(RelationsJob(text=source.text, launches=[launch]))
    return {(found.extent, found.block) for found in reply.launches[0] if found.block > 1}


_POINTER: Tree = {"ref": {}}
_AT = "at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)\n"


@pytest.mark.parametrize(
    ("body", "bound", "wanted"),
    [
        (f"{_AT}x = tl.load(p + at, mask=at < n)", {"n": 1000, "BLOCK": 64}, {(1000, 64)}),
        (f"{_AT}x = tl.load(p + at * step, mask=at < n)", {"n": 1000, "step": 7, "BLOCK": 64}, {(1000, 64)}),
        (f"{_AT}x = tl.load(p, mask=at < a * b)", {"a": 30, "b": 20, "BLOCK": 64}, {(600, 64)}),
        (f"{_AT}x = tl.load(p, mask=at // w < h)", {"w": 33, "h": 20, "BLOCK": 64}, set()),
        ("row = tl.program_id(0) * BLOCK // w", {"w": 96, "BLOCK": 64}, {(96, 64)}),
        ("for k in range(0, n, BLOCK):\n    at = k + tl.arange(0, BLOCK)", {"n": 1000, "BLOCK": 64}, {(1000, 64)}),
        ("for k in range(tl.cdiv(n, BLOCK)):\n    pass", {"n": 1000, "BLOCK": 64}, {(1000, 64)}),
        ("k = 0\nwhile k < n:\n    k += BLOCK", {"n": 1000, "BLOCK": 64}, {(1000, 64)}),
        ("for t in range(tl.program_id(0), n, tl.num_programs(0)):\n    pass", {"n": 1000}, {(1000, 4)}),
        (f"{_AT}last = n - at\nx = tl.load(p, mask=last > 0)", {"n": 1000, "BLOCK": 64}, {(1000, 64)}),
        (f"{_AT}x = tl.load(p, mask=at < tl.load(p))", {"n": 1000, "m": 9, "BLOCK": 64}, {(1000, 64), (9, 64)}),
        (
            "start = tl.program_id(0) * part\nfor k in range(start, min(start + part, n), BLOCK):\n    pass",
            {"n": 1000, "part": 250, "BLOCK": 64},
            {(1000, 64), (250, 64)},
        ),
        ("if WIDE:\n    a = n // 8\nelse:\n    a = n // 4", {"n": 1000, "WIDE": True}, {(1000, 8)}),
        ("x = tl.make_block_ptr(p, (n, m), (m, 1), (0, 0), (16, 32), (1, 0))", {"n": 100, "m": 90},
         {(100, 16), (90, 32)}),
    ],
)  # fmt: skip
def test_a_number_is_related_to_the_blocks_that_it_is_gone_through_in(
    body: str, bound: dict[str, Tree], wanted: set[tuple[int, int]]
) -> None:
    """In masks, loops and divisions; a stride is not, nor what an exact division of each element leaves."""
    assert _found(body, p=_POINTER, **bound) == wanted


def test_a_helper_is_followed_with_what_it_is_given() -> None:
    """Its result too: an index that it makes of a program and a block."""
    helper = (
        "@triton.jit\ndef places(block: tl.constexpr):\n    return tl.program_id(0) * block + tl.arange(0, block)\n"
    )
    body = "at = places(BLOCK)\nx = tl.load(p + at, mask=at < n)"
    assert _found(body, helper=helper, p=_POINTER, n=1000, BLOCK=64) == {(1000, 64)}


def _launch(grid: int, size: int) -> TraceStep:
    out = {"ref": {"storage": 0, "dtype": "float32", "offset": 0, "shape": [size], "stride": [1]}}
    return TraceStep(kernel="k", kernel_line=1, grid=[grid, 1, 1], bound={"out": out, "BLOCK": 64}, line=1)


def test_blocks_that_make_up_a_tensor_do_so_at_smaller_sizes_too() -> None:
    """A kernel without a mask is right only there; one with a mask of that block needs none of it."""
    kernel = Kernel(name="k", clean_name="k", line=1, end_line=2, problems=[], only_copies=False, constants=["BLOCK"],
                    written=["out"], words=[])  # fmt: skip
    assert not covers_otherwise(_launch(16, 1024), _launch(4, 256), kernel, set())
    assert covers_otherwise(_launch(16, 1024), _launch(4, 250), kernel, set())
    assert covers_otherwise(_launch(16, 1020), _launch(4, 256), kernel, set())
    assert not covers_otherwise(_launch(16, 1024), _launch(4, 250), kernel, {64})
