"""Whether a tokenizer's chat template leaves conversations whole.

Each conversation is rendered twice: as it is, and with marks in the place of its answers and its reasoning. Where the
first rendering is not the second one with the texts put in, the template has taken something away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import kbtools as kb
from kbtools.data.conversations.messages import Message
from kbtools.data.io.source import local_path
from kbtools_plugins.conversations import ReasoningForm, Turn, write

_EMPTY_THINK = re.compile(r"<think>\s*</think>")
_THINK_IN_FINAL = re.compile(r"<\|channel\|>final<\|message\|>\s*<think>")


class Lossy(kb.errors.RowError):
    """A conversation that does not survive the template; the message begins with the kind of loss."""


@dataclass(frozen=True)
class Template:
    """A chat template: its text, and how it turns messages into text."""

    name: str
    text: str
    render: Callable[[list[Message]], str]

    def check(self, turns: Sequence[Turn], form: ReasoningForm) -> bool:
        """Lossy when a part of the conversation is gone; else whether an empty think block was put in."""
        rendered = self._rendered(write(turns, form))
        marked = [_marked(turn, index) for index, turn in enumerate(turns)]
        frame = self._rendered(write(marked, form))
        for index, turn in enumerate(turns):
            if turn.answers and (_answer_mark(index) not in frame or str(turn.content).strip() not in rendered):
                raise Lossy(f"answer-gone: the template of {self.name} leaves out what message {index} answers")
        self._check_reasoning(turns, form, frame)
        if _bare(rendered) != _bare(_filled(frame, turns)):
            raise Lossy(f"answer-gone: the template of {self.name} takes away a part of an answer or of its reasoning")
        thought = any(turn.reasoning for turn in turns) and form != "drop"
        return not thought and bool(_EMPTY_THINK.search(frame))

    def _check_reasoning(self, turns: Sequence[Turn], form: ReasoningForm, frame: str) -> None:
        """Only the last reasoning counts: templates leave out that of earlier turns on purpose."""
        thoughtful = [index for index, turn in enumerate(turns) if turn.role == "assistant" and turn.reasoning]
        if form == "drop" or not thoughtful or thoughtful[-1] != len(turns) - 1:
            return
        if _reasoning_mark(thoughtful[-1]) not in frame:
            raise Lossy(
                f"reasoning-gone: the template of {self.name} leaves out the reasoning, which it does not look for "
                f"in the form {form!r}; try another --reasoning"
            )
        if _THINK_IN_FINAL.search(frame):
            raise Lossy(f"reasoning-in-answer: the template of {self.name} puts <think> into the final channel")

    def _rendered(self, messages: list[Message]) -> str:
        try:
            return self.render([_without_nulls(message) for message in messages])
        except Exception as error:  # templates raise what they like
            raise Lossy(
                f"template-error: the template of {self.name} fails ({type(error).__name__}: {error})"
            ) from error


@lru_cache(maxsize=4)
def template(name: str) -> Template:
    """The chat template of a tokenizer, by its Hub id or its folder."""
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise kb.errors.MissingExtra("hf", "--check-template") from error
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(local_path(name)))
    except (OSError, ValueError) as error:
        raise kb.errors.ConfigError(f"--check-template {name}: there is no such tokenizer ({error}).") from error
    if not tokenizer.chat_template:
        raise kb.errors.ConfigError(f"--check-template {name}: this tokenizer has no chat template.")
    return Template(name, str(tokenizer.get_chat_template()), lambda messages: _render(tokenizer, messages))


def _render(tokenizer: Any, messages: list[Message]) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False))


def _without_nulls(message: Message) -> Message:
    """The message without the fields that it only has because its column has them."""
    return {name: value for name, value in message.items() if value is not None or name == "content"}


def _answer_mark(index: int) -> str:
    return f"KBTOOLSANSWER{index}MARK"


def _reasoning_mark(index: int) -> str:
    return f"KBTOOLSREASONING{index}MARK"


def _marked(turn: Turn, index: int) -> Turn:
    if turn.role != "assistant":
        return turn
    content = _answer_mark(index) if turn.content else turn.content
    return replace(turn, content=content, reasoning=turn.reasoning and _reasoning_mark(index))


def _filled(frame: str, turns: Sequence[Turn]) -> str:
    """The rendering of the marks, each replaced by its text, in one pass."""
    texts = {_answer_mark(index): turn.content or "" for index, turn in enumerate(turns)}
    texts |= {_reasoning_mark(index): turn.reasoning or "" for index, turn in enumerate(turns)}
    return re.sub(r"KBTOOLS(?:ANSWER|REASONING)\d+MARK", lambda mark: texts.get(mark[0], mark[0]), frame)


def _bare(text: str) -> str:
    """The text without white space, which templates add and trim around what is said."""
    return "".join(text.split())
