"""Request bodies as OpenAI-compatible servers want them: chat completions and the Responses API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from kbtools.models.request import Request

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

    def body(self, request: Request, model: str) -> dict[str, Any]:
        """The JSON body of a call; `model` is the name by which the server knows the model."""
        return self._chat(request, model) if self.api == "chat" else self._response(request, model)

    def _chat(self, request: Request, model: str) -> dict[str, Any]:
        fields = request.wire_sampling()
        if "max_tokens" in fields:
            fields[self.max_tokens_field] = fields.pop("max_tokens")
        body = {"model": model, "messages": _messages(request), **fields}
        if (shape := self._shape(request)) is not None:
            body["response_format"] = shape
        return body

    def _response(self, request: Request, model: str) -> dict[str, Any]:
        fields = request.wire_sampling()
        if "max_tokens" in fields:
            fields["max_output_tokens"] = fields.pop("max_tokens")
        if "reasoning_effort" in fields:
            fields["reasoning"] = {"effort": fields.pop("reasoning_effort")}
        if fields.pop("logprobs", None):
            fields["include"] = ["message.output_text.logprobs"]
        body = {"model": model, "input": _messages(request), "store": False, **fields}
        if (shape := self._shape(request)) is not None:
            body["text"] = {"format": {"type": shape["type"], **shape.get("json_schema", {})}}
        return body

    def _shape(self, request: Request) -> dict[str, Any] | None:
        if request.response_format is None or self.response_format == "none":
            return None
        if self.response_format == "json_object" and request.response_format["type"] == "json_schema":
            return {"type": "json_object"}
        return dict(request.response_format)


CHAT = Dialect()


def _messages(request: Request) -> list[dict[str, str]]:
    return [message._asdict() for message in request.messages]
