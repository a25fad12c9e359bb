"""Columns of usual texts: their answers are those that reading them one by one gives, and all others are left alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kbtools.data.conversations.marks import EXAMPLES
from kbtools.data.conversations.reasoning import ReasoningError, Rules, strip
from kbtools.data.conversations.usual import usual_answers

PLAIN = ["<think>", "</think>", "<answer>", "</answer>"]
ODD = [
    *["<Think>", "</ANSWER>", "<answer >", "<think/>", "<a:answer>", "<\u017feed:think>", "<rea\u017foning>"],
    *["<thin\u212a>", "<\u00e9:cot>", "<answers>", "</ answer>", "<|", "<|end|>", "[THINK]", "[/think]"],
    *["rows[thought]", "◁think▷", "BEGIN_PYTHON\n", "\nEND_PYTHON", "```", "~~~", "```python\n", "<b>", "a < b"],
    *["<", ">", "List<int>"],
]
TEXT = [
    "",
    " ",
    "\n",
    "\t",
    "x",
    "code()",
    "ä",
    "\u2003",
    "\x1c",
    "\x85",
    "\x0b",
    "\u00a0",
    "a long line of code = f(x)\n",
    "y" * 30,
]
MARKS = [mark for pair in EXAMPLES for mark in pair]
SHAPED = st.builds(
    lambda *parts: "".join(parts),
    *[st.sampled_from([*TEXT, *ODD]), st.sampled_from(["<think>", ""]), st.sampled_from(TEXT)],
    *[st.sampled_from(["</think>", ""]), st.sampled_from(TEXT), st.just("<answer>"), st.sampled_from([*TEXT, *ODD])],
    *[st.sampled_from(TEXT), st.just("</answer>"), st.sampled_from([*TEXT, *ODD])],
)
TEXTS = SHAPED | st.lists(st.sampled_from([*PLAIN * 3, *ODD, *TEXT, *MARKS]), max_size=9).map("".join)


@settings(max_examples=600, deadline=None)
@given(texts=st.lists(TEXTS | st.none(), max_size=6), unwrap=st.booleans(), cut=st.integers(0, 2), large=st.booleans())
@example(texts=["<think>a</think><answer>\u2003</answer>"], unwrap=False, cut=0, large=False)
def test_usual_answers_are_those_of_reading_one_by_one(
    texts: list[str | None], unwrap: bool, cut: int, large: bool
) -> None:
    column = pa.array([*["before"] * cut, *texts], pa.large_string() if large else pa.string()).slice(cut)
    which, answers = usual_answers(column, np.zeros(len(texts), bool), unwrap=unwrap)
    found = [text for text, usual in zip(texts, which, strict=True) if usual]
    assert answers.type == column.type
    for rules in (Rules(unwrap=unwrap), Rules(tag="optional", answer="last", unwrap=unwrap)):
        assert answers.to_pylist() == [strip(str(text), rules) for text in found]


@pytest.mark.parametrize("before", ["<think>why</think>", "why</think>\n", ""])
def test_usual_texts_are_found(before: str) -> None:
    text = f"{before}a < b, List<int> <b>\n<answer>\n```python\ncode(x)\n```\n</answer> done"
    which, answers = usual_answers(pa.array([text, None]), np.array([False, False]), unwrap=False)
    assert which.tolist() == [True, False]
    assert answers.to_pylist() == ["<answer>\n```python\ncode(x)\n```\n</answer>"]
    assert not usual_answers(pa.array([text]), np.array([True]), unwrap=False).which.any()


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_of_any_family_makes_a_text_unusual(mark: str) -> None:
    text = f"<think>a</think>\n{mark} <answer>some long enough answer</answer>"
    assert not usual_answers(pa.array([text]), np.array([False]), unwrap=False).which.any()


def test_what_is_wrong_is_said_by_reading_one_by_one() -> None:
    text = "<think>a</think><answer>\x1c\u2003\u2003\u2003\u2003\u2003</answer>"
    assert not usual_answers(pa.array([text]), np.array([False]), unwrap=False).which.any()
    with pytest.raises(ReasoningError):
        strip(text)
