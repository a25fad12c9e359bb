"""The table of marks: whatever a model writes its reasoning in, stripping takes it out and keeping keeps it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.data.conversations.fields import PART_TYPES, REASONING_FIELDS, merged, said
from kbtools.data.conversations.marks import EXAMPLES
from kbtools.data.conversations.reasoning import ReasoningError, Rules, behind_reasoning, parse, strip

OPTIONAL = Rules(tag="optional")
TAGS = [pair for pair in EXAMPLES if re.fullmatch(r"<[\w:]+>", pair[0])]
SECRET = "\N{SKULL}"
PIECES = ["\n", " ", "so ", "<answer>d</answer>", "<answer>", "```\n", "BEGIN_PYTHON\n", "x < y", "rows[thought]", "'"]
THOUGHTS = st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: f"{SECRET}{''.join(pieces)}{SECRET}")
CODES = st.lists(st.sampled_from(["x = 1\n", "  y\r\n", "'</think>'", "é\u2028", "a < b", "rows[think]"]), min_size=1)


def in_any_case(mark: str, upper: bool, attributes: str) -> str:
    """The mark in another case, and with attributes where it is a tag."""
    written = mark.upper() if upper else mark
    return written.replace(">", f"{attributes}>") if re.fullmatch(r"<[\w:]+>", mark) else written


BLOCKS = st.builds(
    lambda pair, upper, attributes, thought: (
        f"{in_any_case(pair[0], upper, attributes)}{thought}{in_any_case(pair[1], upper, '')}"
    ),
    st.sampled_from(EXAMPLES),
    st.booleans(),
    st.sampled_from(["", ' time="3 s"', " budget=100", " "]),
    THOUGHTS,
)


@given(st.lists(BLOCKS, min_size=1, max_size=4), st.sampled_from(["", "\n", "\n\n"]), CODES)
@settings(max_examples=200)
def test_nothing_inside_a_block_survives_whatever_its_marks(blocks: list[str], between: str, code: list[str]):
    """Blocks of all families, in any case and with attributes, one behind the other: the answer alone is left."""
    answer = f"<answer>{''.join(code)}</answer>"
    assert strip(between.join([*blocks, answer])) == answer
    assert strip(between.join([*blocks, "x = 1\n"]), OPTIONAL).strip() == "x = 1"
    assert behind_reasoning(between.join([*blocks, '{"a": 1}'])).strip() == '{"a": 1}'


def outcome(text: str) -> str:
    """The stripped text, or the kind of trouble."""
    try:
        return strip(text)
    except ReasoningError as error:
        return error.kind


@given(st.sampled_from(EXAMPLES), st.sampled_from(EXAMPLES), THOUGHTS)
@settings(max_examples=150)
def test_marks_of_another_family_are_text_inside_a_block(pair: tuple[str, str], other: tuple[str, str], thought: str):
    """A model may talk about the marks of other models while it thinks."""
    for mention in other if pair != other else ():
        text = f"{pair[0]}{thought} {mention} {thought}{pair[1]}<answer>A</answer>"
        assert outcome(text) in ("<answer>A</answer>", "unclosed-think")


@given(st.sampled_from(EXAMPLES), THOUGHTS)
@settings(max_examples=100)
def test_a_closing_mark_alone_ends_prefilled_reasoning(pair: tuple[str, str], thought: str):
    """With the opening mark in the chat template, all that stands before the closing one goes."""
    try:
        assert strip(f"{thought}{pair[1]}<answer>A</answer>") == "<answer>A</answer>"
    except ReasoningError:
        return
    assert SECRET not in behind_reasoning(f"{thought}{pair[1]}A")


@given(
    st.tuples(st.sampled_from(EXAMPLES), st.sampled_from(EXAMPLES)),
    st.text("abc \n").map("a{}".format),
    st.text("xyz\n").map("{}x".format),
)
@settings(max_examples=150)
def test_what_is_kept_and_what_is_stripped_are_all_there_is(
    pairs: tuple[tuple[str, str], tuple[str, str]], thought: str, answer: str
):
    """Reasoning and answer put between other marks are read as the same reasoning and the same answer."""
    pair, again = pairs
    first = parse(f"{pair[0]}{thought}{pair[1]}<answer>{answer}</answer>")
    assert (first.reasoning, first.answer) == (thought, answer)
    second = parse(f"{again[0]}{first.reasoning}{again[1]}{first.content}")
    assert (second.reasoning, second.answer) == (thought, answer)


@pytest.mark.parametrize("pair", EXAMPLES, ids=lambda pair: pair[0])
def test_a_block_that_never_ends_is_an_error(pair: tuple[str, str]):
    """Nothing says where the answer begins, with or without tags."""
    for rules in (Rules(), OPTIONAL):
        with pytest.raises(ReasoningError, match="^unclosed-think"):
            strip(f"{pair[0]}r <answer>A</answer>", rules)
    with pytest.raises(ReasoningError, match="^unclosed-think"):
        behind_reasoning(f"{pair[0]}r")


@pytest.mark.parametrize("pair", EXAMPLES, ids=lambda pair: pair[0])
def test_reasoning_inside_the_answer_is_never_kept(pair: tuple[str, str]):
    """An answer with a block in it is an error of its own, wherever the block stands, unless it is quoted or fenced."""
    opening, closing = pair
    for text in (f"{opening}r{closing}A", f"A\n{opening}r{closing}", f"\n{opening}\nr\n{closing}\nA"):
        with pytest.raises(ReasoningError, match="^reasoning-in-answer"):
            strip(f"<answer>{text}</answer>")
        with pytest.raises(ReasoningError, match="^reasoning-in-answer"):
            strip(f"{opening}r{closing}<answer>{text}</answer>", Rules(unwrap=True))
    for code in (f"s = '{opening}' + '{closing}'\n", f"\n```\n{opening}r{closing}\n```\n"):
        assert parse(f"<answer>{code}</answer>").answer == code


@pytest.mark.parametrize(
    "text",
    [
        f"<|START_THINKING|>{SECRET}<|END_THINKING|><|START_RESPONSE|>A<|END_RESPONSE|>",
        f"{SECRET}<|END_THINKING|>\n<|START_RESPONSE|>A<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
        f"<|begin_of_thought|>{SECRET}<|end_of_thought|>\n\n<|begin_of_solution|>A<|end_of_solution|>",
        "<|START_RESPONSE|><answer>A</answer><|END_RESPONSE|>",
        f"<|open|>think<|sep|>{SECRET}<|close|>think<|sep|><|open|>response<|sep|>A<|close|>response<|sep|>",
        f"{SECRET}<|close|>think<|sep|><|open|>response<|sep|>A<|close|>response<|sep|><|close|>message<|sep|>",
        f"<think>{SECRET}</think>\n<|begin_of_solution|>A<|end_of_solution|>",
    ],
)
def test_a_framed_response_is_the_answer(text: str):
    """What stands between the tokens of a response is the answer, tagged or not, as a final channel is."""
    assert parse(text).answer == "A"
    assert SECRET not in strip(text)
    assert behind_reasoning(text).removeprefix("<answer>").removesuffix("</answer>") == "A"


# ---- fields and parts -----------------------------------------------------------------------------------------------

PARTS = {
    "text": "r",
    "anthropic": [{"type": "thinking", "thinking": "r", "signature": "x"}],
    "openrouter": [{"type": "reasoning.text", "text": "r", "format": None}],
    "responses": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "r"}]}],
    "mistral": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}],
    "as JSON": '[{"type": "reasoning.text", "text": "r"}]',
    "nulls of other rows": [{"type": "thinking", "text": None, "thinking": "r"}],
}


@pytest.mark.parametrize("field", REASONING_FIELDS)
@pytest.mark.parametrize("value", PARTS.values(), ids=PARTS)
def test_reasoning_is_found_in_every_field_and_form(field: str, value: object):
    """Text, parts, parts of parts: each is the same reasoning in each of the fields."""
    assert said({"role": "assistant", "content": "A", field: value})[:] == ("A", "r", False, ())


@pytest.mark.parametrize("kind", PART_TYPES)
def test_reasoning_is_found_among_the_parts_of_a_content(kind: str):
    """Parts of reasoning go out of the text and into the reasoning."""
    parts = [{"type": kind, "text": "r"}, {"type": "text", "text": "A"}, {"thought": True, "text": "s"}]
    assert said({"content": parts})[:2] == ("A", "r\n\ns")


@pytest.mark.parametrize("field", REASONING_FIELDS)
def test_a_part_without_a_type_is_what_its_only_field_says(field: str):
    """As Bedrock writes parts; a column of such parts has nulls for the fields of the others."""
    part = {"text": None, "type": None, field: {"reasoningText": {"text": "r", "signature": "s"}}}
    assert said({"content": [part, {"text": "A", field: None}]})[:] == ("A", "r", False, ())


def test_the_same_reasoning_in_two_fields_counts_once():
    """Gateways repeat it under several names, whole or in pieces."""
    message = {"content": "A", "reasoning": "a  b", "reasoning_details": [{"type": "reasoning.text", "text": "a b"}]}
    assert said(message).reasoning == "a  b"
    assert merged(["a", "a b", None, " ", "c"]) == "a b\n\nc"


def test_encrypted_reasoning_is_known_to_be_there():
    """What only its maker can read is not text, and is not passed over."""
    for part in ({"type": "redacted_thinking", "data": "xyz"}, {"type": "reasoning.encrypted", "data": "xyz"}):
        assert said({"content": [part, {"type": "text", "text": "A"}]})[:3] == ("A", None, True)
    with pytest.raises(ReasoningError, match="^unread-reasoning"):
        said({"content": "A", "reasoning": 5})


def test_the_docs_show_the_table():
    """The page lists each mark, each field and each type of part that is read."""
    page = (Path(__file__).parents[2] / "docs" / "reasoning.md").read_text(encoding="utf-8")
    for name in (*(mark for pair in EXAMPLES for mark in pair), *REASONING_FIELDS, *PART_TYPES):
        assert f"`{name.replace('|', chr(92) + '|')}`" in page, name


@pytest.mark.parametrize(
    "opens",
    [
        "<thought_process>",
        "<thinking-process>",
        "<think_never_used_51b>",
        "<internal_monologue>",
        "<réflexion>",
        "<생각>",
    ],
)
def test_longer_and_foreign_names_are_marks(opens):
    """What a vendor calls its block tomorrow has one of these words in it."""
    text = f"{opens}hm</{opens[1:]}\nx = 1"
    assert parse(text, OPTIONAL)[:2] == ("\nx = 1", False)
    with pytest.raises(ReasoningError, match="unclosed-think"):
        parse(f"{opens}hm\nx = 1", OPTIONAL)


def test_harmony_is_read_without_its_tokens():
    """Servers take special tokens out of what they send; the words of the headers stay."""
    text = "analysisThe user wants <answer>d</answer>assistantcommentaryhmassistantfinal"
    assert parse(f"{text}x = 1\n", OPTIONAL).content == "x = 1\n"
    assert strip(f"{text}<answer>x = 1</answer>") == "<answer>x = 1</answer>"
    assert parse("analysis of the code\n", OPTIONAL).before == ()
    with pytest.raises(ReasoningError, match="several-final-channels"):
        parse(f"{text}x = 1assistantfinaly = 2", OPTIONAL)
    ds = datasets.Dataset.from_dict({"completion": [f"{text}x = 1\n", f"{text}<answer>x = 1</answer>"]})
    stripped = kb.StripReasoning(tag="optional")(ds)["completion"][:]
    assert stripped == ["x = 1\n", "<answer>x = 1</answer>"]


@pytest.mark.parametrize(
    "turn", [{"role": "thinking"}, {"role": "reasoning"}, {"role": "assistant", "channel": "analysis"}]
)
@pytest.mark.parametrize("encoded", [False, True])
def test_a_turn_of_reasoning_alone_is_not_kept_unseen(turn, encoded):
    """It would stand in the dataset without reasoning, under the name of another speaker."""
    turns = [{"role": "user", "content": "q"}, {**turn, "content": SECRET}, {"role": "assistant", "content": "x = 1"}]
    rows = [json.dumps(turns)] if encoded else [turns]
    ds = datasets.Dataset.from_dict({"messages": rows})
    for stage in (kb.StripReasoning(tag="optional"), kb.ToMessages()):
        with pytest.raises(kb.errors.RowError, match="reasoning-turn"):
            stage(ds)
    emptied = kb.StripReasoning(tag="optional", on_error="null")(ds)
    assert SECRET not in json.dumps(emptied.to_list(), ensure_ascii=False)
