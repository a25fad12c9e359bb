"""Conversations as trainers take them: what a turn says, its reasoning apart, and the forms in which both are written.

Plain messages come in and go out; columns and rows are the part of the stages in `chat`, and what counts as an answer
is decided in `kbtools.data.conversations.reasoning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kbtools.data.conversations.fields import is_reasoning_turn, merged, said, without_reasoning
from kbtools.data.conversations.messages import Message, calls_tool, looks_encoded, writable_messages
from kbtools.data.conversations.reasoning import ReasoningError, Rules, kept, parse
from kbtools.data.conversations.sharegpt import NAMES

ReasoningForm = Literal["think", "reasoning_content", "thinking", "drop"]


@dataclass(frozen=True)
class Turn:
    """One message: what it says, the reasoning that led there, and its other fields (the role among them)."""

    fields: Message
    content: str | None
    reasoning: str | None = None
    hidden: bool = False
    """Whether reasoning is there that only its maker can read."""

    @property
    def role(self) -> str:
        """Who speaks."""
        role: str = self.fields["role"]
        return role

    @property
    def answers(self) -> bool:
        """Whether this is an assistant's turn that says something."""
        return self.role == "assistant" and bool(self.content)


def turns_of(value: object, role: str, rules: Rules, reasoning: str | None = None) -> list[Turn]:
    """The turns of a cell; a plain text is one turn of this role, which may have its reasoning beside it."""
    if value is None:
        raise ReasoningError("null-value")
    if isinstance(value, str) and not looks_encoded(value):
        return [_read_turn({"role": role, "content": value, "reasoning": reasoning}, rules)]
    turns = []
    for index, message in enumerate(writable_messages(value)):
        try:
            turns.append(_read_turn(message, rules))
        except ReasoningError as error:
            raise ReasoningError(error.kind, error.at, index) from None
    return turns


def _read_turn(message: Message, rules: Rules) -> Turn:
    fields = {name: value for name, value in without_reasoning(message).items() if name != "content"}
    found = said(message)
    if is_reasoning_turn(message):
        raise ReasoningError("reasoning-turn")
    if found.others:
        raise ReasoningError("not-text")
    if message["role"] != "assistant":
        return Turn(fields, found.text)
    if found.text is None or not found.text.strip():
        if not calls_tool(message):
            raise ReasoningError("null-content" if found.text is None else "empty-answer")
        return Turn(fields, found.text, found.reasoning, found.hidden)
    rules = replace(rules, tag="optional") if calls_tool(message) else rules
    parsed = parse(found.text, rules)
    return Turn(fields, kept(parsed, rules), merged([found.reasoning, parsed.reasoning]), found.hidden)


def write(turns: Sequence[Turn], form: ReasoningForm) -> list[Message]:
    """The messages, with the reasoning of each assistant's turn in this form."""
    return [_write_turn(turn, form) for turn in turns]


def _write_turn(turn: Turn, form: ReasoningForm) -> Message:
    if turn.role != "assistant" or form == "drop" or not turn.reasoning:
        return {**turn.fields, "content": turn.content}
    if form == "think":
        content = f"<think>\n{turn.reasoning.strip(chr(10))}\n</think>\n\n{turn.content or ''}"
        return {**turn.fields, "content": content}
    return {**turn.fields, "content": turn.content, form: turn.reasoning}


def write_sharegpt(turns: Sequence[Turn], form: ReasoningForm) -> list[Message]:
    """The messages as {from, value}, which has no place for tool calls."""
    messages = write(turns, form)
    if any(calls_tool(message) or message["content"] is None for message in messages):
        raise ReasoningError("null-content")
    return [{"from": NAMES.get(message["role"], message["role"]), "value": message["content"]} for message in messages]


def with_system(turns: Sequence[Turn], text: str) -> list[Turn]:
    """The conversation under this system prompt, which takes the place of its own."""
    return [Turn({"role": "system"}, text), *(turn for turn in turns if turn.role != "system")]


def split_last(turns: Sequence[Turn]) -> tuple[list[Turn], list[Turn]]:
    """The conversation before its last turn, which must be the assistant's, and that turn."""
    if not turns or turns[-1].role != "assistant":
        raise ReasoningError("no-assistant-turn")
    return list(turns[:-1]), [turns[-1]]
