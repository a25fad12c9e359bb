"""What is judged is what runs: Triton makes the same code of the clean module as of the candidate's own."""

from __future__ import annotations

import pytest
from surroundings import REFERENCE, plain

from kbtools_plugins.verify import VerifySettings, verify
from kbtools_plugins.verify.explain import explain
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.worker.normal_form import normal_form

_STORE = "tl.store(out_ptr + at, tl.maximum(x * w, 0.0), mask=mask)"
_OTHER = {
    "the source is replaced": "relu_kernel._unsafe_update_src(relu_kernel.src.replace('x * w', 'x'))",
    "the function is replaced": """
@triton.jit
def other(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < total), mask=at < total)


relu_kernel._unsafe_update_src(other.src)
""",
    "a kernel that is called is replaced": """
@triton.jit
def right(x):
    return tl.maximum(x, 0.0)


@triton.jit
def wrong(x):
    return x


right._unsafe_update_src(wrong.src.replace("wrong", "right"))
""",
}
_SAME = {
    "a comment": "# nothing",
    "a constant of the module": "LIMIT = tl.constexpr(0.0)",
    "a name in the language": "from triton.language import maximum",
    "a kernel that is called": "@triton.jit\ndef right(x):\n    return tl.maximum(x, 0.0)\n",
}
_CHANGED = {
    "a kernel that is called is replaced": ("tl.maximum(x * w, 0.0)", "right(x * w)"),
    "a constant of the module": ("tl.maximum(x * w, 0.0)", "tl.maximum(x * w, LIMIT)"),
    "a name in the language": ("tl.maximum(x * w, 0.0)", "maximum(x * w, 0.0)"),
    "a kernel that is called": ("tl.maximum(x * w, 0.0)", "right(x * w)"),
}


def _candidate(name: str, addition: str) -> str:
    head, mark, rest = plain().partition("def launched(")
    return head.replace(*_CHANGED.get(name, ("", ""))) + addition + "\n\n\n" + mark + rest


@pytest.mark.parametrize("name", _OTHER)
def test_other_code_than_the_text_says_is_refused(name: str, processes: WarmPair) -> None:
    """The text is right; what a device would compile is not."""
    verdict = verify(REFERENCE, _candidate(name, _OTHER[name]), settings=VerifySettings(seeds=1), processes=processes)
    assert verdict.verdict == "unsupported:other_code", explain(verdict)


@pytest.mark.parametrize("name", _SAME)
def test_the_same_code_by_another_way_of_writing_passes(name: str, processes: WarmPair) -> None:
    """Names of modules, constants and functions that a kernel calls."""
    verdict = verify(REFERENCE, _candidate(name, _SAME[name]), settings=VerifySettings(seeds=1), processes=processes)
    assert verdict.passed, explain(verdict)


def test_names_of_functions_and_places_do_not_count() -> None:
    """What is left is what the code does."""
    head = '#loc = loc("a.py":1:2)\n tt.func public @k(%x: i32 loc("x"(#loc))) {\n'
    first = head + " tt.call @f__i32() loc(#loc4)\n} loc(#loc)"
    second = ' tt.func public @"b.k__2"(%x: i32 loc("x"(#loc7))) {\n tt.call @g() loc(callsite(#loc1 at #loc2))\n}'
    assert normal_form(first) == normal_form(second)
    assert normal_form(first) != normal_form(first.replace("i32 loc", "i64 loc"))
