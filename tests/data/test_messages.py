"""Conversations in the forms in which they arrive, and their assistant turns without reasoning."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbtools.data.conversations.fields import REASONING_FIELDS
from kbtools.data.conversations.messages import assistant_text, decode, encode, looks_encoded, strip_messages
from kbtools.data.conversations.reasoning import ReasoningError, Rules

TEXT = "<think>r</think>\n<answer>A</answer>"
OPTIONAL = Rules(tag="optional")
CALL = [{"type": "function", "function": {"name": "run", "arguments": "{}"}}]


def user(content: object = "u <think>kept</think> <answer>kept</answer>") -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: object = TEXT, **fields: object) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def test_only_assistant_turns_are_stripped():
    """User, system and tool turns keep their text, tags included."""
    others = [
        {"role": "system", "content": "<think>s</think>"},
        user(),
        {"role": "tool", "content": "</think>"},
    ]
    assert strip_messages([*others, assistant(), user(), assistant()]) == [
        *others,
        assistant("<answer>A</answer>"),
        user(),
        assistant("<answer>A</answer>"),
    ]


@pytest.mark.parametrize("field", REASONING_FIELDS)
def test_reasoning_fields_are_dropped(field: str):
    """Reasoning beside the content goes, other fields of the turn stay."""
    stripped = strip_messages([user(), assistant("A", name="m", **{field: "r"})], OPTIONAL)
    assert stripped == [user(), assistant("A", name="m")]


def test_the_input_is_left_alone():
    """Stripping makes new messages and does not touch those it was given."""
    messages = [user(), assistant([{"type": "text", "text": TEXT}], reasoning="r")]
    before = copy.deepcopy(messages)
    strip_messages(messages)
    assert messages == before


def test_json_comes_back_as_json():
    """JSON-encoded messages stay JSON-encoded, with ASCII escapes only if they came with them."""
    plain = json.dumps([assistant("<think>r</think><answer>é</answer>")], ensure_ascii=False)
    escaped = json.dumps(json.loads(plain))
    assert strip_messages(plain) == json.dumps([assistant("<answer>é</answer>")], ensure_ascii=False)
    assert strip_messages(escaped) == json.dumps([assistant("<answer>é</answer>")])


def test_unchanged_json_keeps_its_bytes():
    """JSON without anything to strip is not written anew."""
    text = '[ {"role":"assistant",\n"content":"<answer>A</answer>"} ]'
    assert strip_messages(text) is text


def test_json_with_half_a_surrogate_stays_writable():
    """An escaped lone surrogate, which no file can hold, stays escaped."""
    text = '[{"role": "assistant", "content": "<think>é</think><answer>é \\ud83d</answer>"}]'
    stripped = strip_messages(text)
    assert isinstance(stripped, str)
    assert json.loads(stripped) == [assistant("<answer>é \ud83d</answer>")]
    assert stripped.encode()


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ([{"type": "text", "text": TEXT}], [{"type": "text", "text": "<answer>A</answer>"}]),
        (
            [{"type": "thinking", "thinking": "r"}, {"type": "text", "text": "A"}],
            [{"type": "text", "text": "A"}],
        ),
        (
            [
                {"type": "text", "text": "<think>r</think><ans"},
                {"type": "image"},
                {"type": "text", "text": "wer>A</answer>"},
            ],
            [{"type": "text", "text": "<answer>A</answer>"}, {"type": "image"}],
        ),
        (
            [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
            [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
        ),
        (
            [{"type": "reasoning", "text": "r"}, {"type": "text", "text": "A"}],
            [{"type": "text", "text": "A"}],
        ),
    ],
)
def test_content_in_parts_stays_in_parts(parts: list[dict[str, str]], kept: list[dict[str, str]]):
    """The text of all parts is read as one; parts of reasoning go, parts that hold no text stay."""
    assert strip_messages([assistant(parts)], OPTIONAL) == [assistant(kept)]


@pytest.mark.parametrize(
    ("content", "kept"),
    [(None, None), ("", ""), ("<think>r</think>", ""), ("<think>r</think>I run it.", "I run it."), ([], [])],
)
def test_a_tool_call_needs_no_answer(content: object, kept: object):
    """A turn that calls a tool may have no content, or only reasoning, which goes."""
    assert strip_messages([assistant(content, tool_calls=CALL)]) == [assistant(kept, tool_calls=CALL)]


@pytest.mark.parametrize("calls", [None, [], "[]", "null", ""])
@pytest.mark.parametrize("content", [None, [], [{"type": "thinking", "thinking": "r"}]])
def test_null_content_without_a_call_is_an_error(content: object, calls: object):
    """A turn that neither says nor calls anything is refused, and the error says which turn it is."""
    with pytest.raises(ReasoningError) as caught:
        strip_messages([user(), assistant(content, tool_calls=calls)])
    assert (caught.value.kind, caught.value.turn) == ("null-content", 1)


def test_an_error_names_the_turn():
    """Trouble in one turn of many is told with the position of that turn."""
    with pytest.raises(ReasoningError, match="message 3") as caught:
        strip_messages([user(), assistant(), user(), assistant("<think>r")])
    assert caught.value.kind == "unclosed-think"


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "text",
        "{}",
        '{"role": "assistant"}',
        "[1]",
        "[" * 100_000,
        [{"content": "A"}],
        ["A"],
        [{"role": None}],
    ],
    ids=str,
)
def test_what_is_no_conversation_is_refused(value: object):
    """Values that are not messages are an error, not an empty conversation."""
    with pytest.raises(ReasoningError) as caught:
        decode(value)
    assert caught.value.kind == "not-messages"


@pytest.mark.parametrize("content", [3, ["A"], {"text": "A"}])
def test_content_of_another_type_is_refused(content: object):
    """Content is text, parts or null, and anything else an error."""
    with pytest.raises(ReasoningError) as caught:
        strip_messages([assistant(content)])
    assert caught.value.kind == "not-messages"


@pytest.mark.parametrize("messages", [[], [user()]])
def test_a_conversation_without_assistant_is_refused(messages: list[dict[str, Any]]):
    """There is nothing to learn from a conversation in which nobody answers."""
    for run in (strip_messages, assistant_text):
        with pytest.raises(ReasoningError) as caught:
            run(messages)
        assert caught.value.kind == "no-assistant-turn"


@pytest.mark.parametrize("role", ["Assistant", "ASSISTANT", "model", "gpt", "ai", "bot", "ChatGPT"])
def test_the_one_who_answers_has_many_names(role: str):
    """They stay as they are; what is read knows the usual ones."""
    turns = [
        {"role": "human", "content": "Q"},
        {"role": role, "content": "<think>a</think><answer>b</answer>", "reasoning": "r"},
    ]
    assert strip_messages(turns) == [turns[0], {"role": role, "content": "<answer>b</answer>"}]
    assert [message["role"] for message in decode(turns)] == ["user", "assistant"]
    assert decode([{"role": "critic", "content": "no"}]) == [{"role": "critic", "content": "no"}]


def test_the_assistant_text_is_that_of_the_last_turn():
    """Of several assistant turns the last one holds the answer."""
    assert assistant_text([assistant("A"), user(), assistant([{"type": "text", "text": "B"}])]) == "B"
    assert assistant_text(json.dumps([assistant("A")])) == "A"
    with pytest.raises(ReasoningError) as caught:
        assistant_text([assistant(None, tool_calls=CALL)])
    assert caught.value.kind == "null-content"


def test_rules_reach_every_turn():
    """The rules for tags and answers hold in conversations as for single texts."""
    rules = Rules(tag="optional", answer="last", unwrap=True)
    turns = [assistant("<think>r</think>A"), assistant("<answer>A</answer><answer>B</answer>")]
    assert strip_messages(turns, rules) == [assistant("A"), assistant("B")]


@pytest.mark.parametrize(
    ("text", "encoded"),
    {
        '[{"role": "user"': True,
        ' [\n {"content": "A", "role": "user"}]': True,
        "[1, 2]": False,
        "def f(): pass": False,
        '{"role": "user"}': False,
    }.items(),
)
def test_encoded_messages_are_recognised(text: str, encoded: bool):
    """A text that begins like messages is held to be messages, even if it is cut and cannot be decoded."""
    assert looks_encoded(text) is encoded


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant"]), "content": st.text()},
            optional={"name": st.text(), "score": st.floats(allow_nan=False)},
        )
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_decoding_and_encoding_are_inverse(messages: list[dict[str, Any]], ascii_only: bool):
    """Messages come back from either form as they were."""
    text = json.dumps(messages, ensure_ascii=ascii_only)
    assert decode(text) == messages
    assert decode(encode(messages, like=text)) == messages
    assert encode(messages, like=messages) == messages
