"""The generator of mutants, and what makes two programs the same one."""

from __future__ import annotations

import ast

from mutant_changes import mutants
from survivors import _instructions
from verify_suite import HERE, read

_TEXT = """.version 8.7
.target sm_80
.visible .entry kernel(.param .u64 p)
{
    .loc 1 %d 4 // kernels.py
$L__tmp0:
$L__BB0_1:
    ld.param.u64 %%rd1, [p];
    // %s
    ret;
}
.file 1 "%s"
.section .debug_str { .b8 %d }
"""


def test_a_mutant_is_its_kernel_with_one_line_that_differs() -> None:
    """Each change is said as the line was and as it is, and nothing else of the text is another."""
    candidate = read(HERE / "innocent" / "relu_scale.py")
    found = list(mutants(candidate))
    assert {"operator", "constant", "mask", "index", "missing store"} <= {one.change.kind for one in found}
    for one in found:
        lines, changed = candidate.code.split("\n"), one.code().split("\n")
        different = [number for number, (a, b) in enumerate(zip(lines, changed, strict=True), 1) if a != b]
        assert different in ([one.line], [])
        ast.parse(one.code())


def test_places_in_a_source_are_no_part_of_a_program() -> None:
    """Line numbers, comments, names of files and debugging data; an instruction is."""
    one = _instructions(_TEXT % (11, "begin", "a.py", 1))
    assert one == _instructions(_TEXT % (12, "end", "b.py", 2))
    assert one == ".visible .entry kernel(.param .u64 p)\n$L__BB0_1:\nld.param.u64 %rd1, [p];\nret;"
    assert one != _instructions((_TEXT % (11, "begin", "a.py", 1)).replace("ret;", "exit;"))
