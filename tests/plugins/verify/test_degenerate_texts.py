"""Texts that are nested, endless or broken end in a verdict on their own pair, whatever parsing them costs."""

from __future__ import annotations

import pytest
from degenerate import CANDIDATE, REFERENCE, failed, pairs, run

from kbtools_plugins.verify import verify

FEW = ("100,000 minus signs, alone", "50000 parentheses, in the reference", "a zero byte, at the top")


def test_texts_that_cannot_be_parsed_are_that_sides_fault() -> None:
    """A candidate that is too deep does not compile; a reference that is too deep is a reference's error."""
    found = [one for one in pairs() if one.name in FEW]
    verdicts = {one.name: verdict for one, verdict in zip(found, run(found, 1), strict=True)}
    assert [verdicts[name].verdict for name in FEW] == ["compile_error", "reference_error", "compile_error"]


@pytest.mark.parametrize(
    ("top", "forward", "verdict", "note"),
    [
        ("def shim():\n    torch.nn.functional.lacking = 1\n", "", "pass", "never ran: hack:patched_name"),
        ("torch.nn.functional.lacking = 1\n", "", "hack:patched_name", ""),
        ("from torch.utils.cpp_extension import load_inline\n", "load_inline('a', 'b')", "unsupported:language", ""),
        ("import no_such_package\nimport ctypes\nctypes.CDLL(None)\n", "", "runtime_error", ""),
        ("import importlib.metadata\nimportlib.metadata.version('triton')\n", "", "pass", ""),
    ],
)
def test_a_trick_is_one_once_its_lines_have_run(top: str, forward: str, verdict: str, note: str) -> None:
    """What the text alone shows is a note; what ran is the verdict; another language is unsupported and no hack."""
    found = verify(REFERENCE, CANDIDATE.format(top=top, kernel="", forward=forward))
    assert found.verdict == verdict, found.error
    assert any(note in said for said in found.notes) == bool(note)


RETRY = """
        for block in (128, 64):
            try:
                add_one[(1,)](x, out, block)
                break
            except RuntimeError:
                {}
"""


@pytest.mark.parametrize(("handler", "verdict"), [("continue", "pass"), ("out = x + 1.0", "hack:exception_fallback")])
def test_a_loop_that_tries_smaller_blocks_replaces_nothing(handler: str, verdict: str) -> None:
    """A handler that goes on is not a fallback, one that computes is."""
    found = verify(REFERENCE, CANDIDATE.format(top="", kernel="", forward=RETRY.format(handler)))
    assert found.verdict == verdict, found.error


@pytest.mark.parametrize(
    "step", [pytest.param(12, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"]
)
def test_no_text_stops_the_check(step: int) -> None:
    """Every twelfth, or all of them, 628: none is a fault of the check itself."""
    found = list(pairs())
    assert len(found) > 500
    assert not failed(found[::step], run(found[::step], 2))
