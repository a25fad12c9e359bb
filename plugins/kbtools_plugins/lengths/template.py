"""Rendering conversations through a chat template as transformers does: the same environment, in a sandbox.

Messages that come from Arrow carry null fields and differing names of the reasoning; templates expect neither.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

import kbtools as kb
from kbtools.data.conversations.fields import said

Message = Mapping[str, Any]


class ChatTemplate:
    """The chat templates of one tokenizer, compiled."""

    def __init__(self, sources: Mapping[str, str], special_tokens: Mapping[str, str]) -> None:
        environment = _environment()
        try:
            self._templates = {name: environment.from_string(source) for name, source in sources.items()}
        except jinja2.TemplateError as error:
            raise kb.errors.DataError(f"the chat template cannot be compiled: {error}") from error
        if "default" not in self._templates:
            raise kb.errors.DataError(f"the tokenizer has templates {list(sources)} and none is the default.")
        self._special_tokens = dict(special_tokens)

    def render(
        self, messages: Sequence[Message], tools: Sequence[object] | None = None, *, generation: bool = False
    ) -> str:
        """The text of a conversation; with `generation` up to where the model would go on. Raises jinja2's errors."""
        template = self._templates["default"]
        if tools:
            template = self._templates.get("tool_use", template)
        return template.render(
            messages=[plain(message) for message in messages],
            tools=tools or None,
            documents=None,
            add_generation_prompt=generation,
            **self._special_tokens,
        )


def plain(message: Message) -> dict[str, object]:
    """A message without null fields (but for its content), its reasoning under every name that templates read."""
    kept = {key: value for key, value in message.items() if value is not None or key == "content"}
    reasoning = said(message).reasoning
    return kept if reasoning is None else {**kept, "thinking": reasoning, "reasoning_content": reasoning}


class _GenerationBlock(Extension):
    """`{% generation %}` marks what trainers learn from; for the text it means nothing."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    return environment


def _to_json(value: object, **options: Any) -> str:
    """Jinja's own filter escapes HTML, which templates do not expect."""
    return json.dumps(value, **{"ensure_ascii": False, **options})


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _now(layout: str) -> str:
    return datetime.datetime.now().strftime(layout)
