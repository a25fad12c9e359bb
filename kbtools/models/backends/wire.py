"""Request bodies as OpenAI-compatible servers want them: chat completions and the Responses API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

from kbtools.models.backend import ModelBackend
from kbtools.models.request import Request, Terms

Api = Literal["chat", "responses"]
Structure = Literal["json_schema", "json_object", "none"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server understands."""

    api: Api = "chat"
    response_format: Structure = "json_schema"
    """The strictest response format it takes; what it cannot take is not sent, and the reply is validated anyway."""
    max_tokens_field: str = "max_tokens"
    """Chat completions only: newer OpenAI models want max_completion_tokens."""

    @property
    def path(self) -> str:
        return "/chat/completions" if self.api == "chat" else "/responses"

    def body(self, request: Request, model: str) -> str:
        """The JSON body of a call; `model` is the name by which the server knows the model."""
        turns = "messages" if self.api == "chat" else "input"
        sample = request.sample if "seed" in request.terms.fields else 0
        return f'{{"{turns}":{request.turns},{_rest(self, request.terms, sample, model)}'

    def rest(self, terms: Terms, sample: int, model: str) -> dict[str, Any]:
        """All of the body but the turns."""
        return self._chat(terms, sample, model) if self.api == "chat" else self._response(terms, sample, model)

    def _chat(self, terms: Terms, sample: int, model: str) -> dict[str, object]:
        fields = terms.wire_sampling(sample)
        if "max_tokens" in fields:
            fields[self.max_tokens_field] = fields.pop("max_tokens")
        rest = {"model": model, **fields}
        if (shape := self._shape(terms)) is not None:
            rest["response_format"] = shape
        return rest

    def _response(self, terms: Terms, sample: int, model: str) -> dict[str, Any]:
        fields = terms.wire_sampling(sample)
        if "max_tokens" in fields:
            fields["max_output_tokens"] = fields.pop("max_tokens")
        if "reasoning_effort" in fields:
            fields["reasoning"] = {"effort": fields.pop("reasoning_effort")}
        if fields.pop("logprobs", None):
            fields["include"] = ["message.output_text.logprobs"]
        rest = {"model": model, "store": False, **fields}
        if (shape := self._shape(terms)) is not None:
            rest["text"] = {"format": {"type": shape["type"], **shape.get("json_schema", {})}}
        return rest

    def _shape(self, terms: Terms) -> dict[str, Any] | None:
        if terms.response_format is None or self.response_format == "none":
            return None
        if self.response_format == "json_object" and terms.response_format["type"] == "json_schema":
            return {"type": "json_object"}
        return dict(terms.response_format)


CHAT = Dialect()


@runtime_checkable
class Dialects(Protocol):
    """A backend that can be told how to speak to its server."""

    @property
    def dialect(self) -> Dialect:
        """How it speaks now."""

    def speaking(self, dialect: Dialect) -> ModelBackend:
        """The backend with another dialect."""


@lru_cache(maxsize=64)
def _rest(dialect: Dialect, terms: Terms, sample: int, model: str) -> str:
    """The rest of a body as JSON without its opening brace; calls that differ in their turns alone share it."""
    return json.dumps(dialect.rest(terms, sample, model))[1:]
