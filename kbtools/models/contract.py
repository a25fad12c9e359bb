"""From a reply to typed fields: JSON by a schema, or tagged text; one repair request for what does not fit.

A contract is what a prompt's front matter says of its reply. Nothing is coerced and nothing has a default: a reply
either fits, or its row failed with the raw text kept. `Repairing` serves the engine, `settled` the replay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from kbtools.data.conversations.reasoning import ReasoningError, behind_reasoning, first_mark
from kbtools.errors import UsageError
from kbtools.models.json_text import behind_object, objects, whole
from kbtools.models.kinds import Kind, ReplyFailure
from kbtools.models.reading import Reading, unwritable
from kbtools.models.reply import Reply
from kbtools.models.request import Message, Request, canonical_json
from kbtools.models.schema import JsonSchema, validator

_PARSER = "Start the server with --reasoning-parser, or ask with less reasoning"
REPAIR = """Your reply could not be used: {error}.
Reply again to the same task, with {shape} and nothing else."""


class Invalid(ValueError):
    """A reply text that does not fit its contract; the message is fit to be shown to the model."""


class Unclear(Invalid):
    """A reply that may be right, but whose reasoning has no end: asking the model to repair it would change nothing."""


class Contract(Protocol):
    """What a usable reply text is."""

    @property
    def shape(self) -> str:
        """The form in words, completing "reply with ..."."""

    def parse(self, text: str) -> dict[str, object]:
        """The fields of a reply text; raises Invalid."""


@dataclass(frozen=True)
class JsonContract:
    """A JSON object that fits a schema: all of the reply, or with words around it.

    Of several whole objects the last that fits counts: models write drafts before their verdict, and notes behind it.
    """

    schema: JsonSchema
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_text", canonical_json(self.schema))

    @property
    def shape(self) -> str:
        return f"one JSON object that fits this schema: {json.dumps(self.schema)}"

    def response_format(self, name: str) -> dict[str, Any]:
        """The `response_format` of requests whose replies have this contract; `name` is what servers may log."""
        clean = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]
        return {
            "type": "json_schema",
            "json_schema": {"name": clean, "schema": dict(self.schema), "strict": True},
        }

    def parse(self, text: str) -> dict[str, object]:
        try:
            value = whole(text)
        except ValueError as error:
            found = objects(text)
            if not found:
                raise Invalid(f"it is not JSON ({error})") from error
            value = next((one for one in reversed(found) if _fits(self._text, one)), found[-1])
        if not isinstance(value, dict):
            raise Invalid(f"it is a JSON {type(value).__name__}, not an object")
        _check(self._text, value)
        return value

    def bare(self, text: str) -> dict[str, object] | None:
        """The fields of a text that is one object, fit or not, and nothing else; None for any other."""
        try:
            value = whole(text)
        except ValueError:
            return None
        if not isinstance(value, dict):
            return None
        _check(self._text, value)
        return value


@dataclass(frozen=True)
class TagContract:
    """Fields in tags, `<difficulty>low</difficulty>`, each exactly once; other text around them is allowed.

    `schema` is an object schema whose properties are strings, integers or numbers; the text between the tags,
    without outer space, must be written as one.
    """

    schema: JsonSchema
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_text", canonical_json(self.schema))

    @property
    def shape(self) -> str:
        tags = " ".join(f"<{name}>...</{name}>" for name in self.schema["properties"])
        return f"{tags}, each once, with values that fit this schema: {json.dumps(self.schema)}"

    def parse(self, text: str) -> dict[str, Any]:
        required = set(self.schema.get("required", self.schema["properties"]))
        found = {
            name: _tagged(text, name, field)
            for name, field in self.schema["properties"].items()
            if name in required or f"<{name}>" in text
        }
        _check(self._text, found)
        return found


def answer_text(reading: Reading) -> str:
    """The text behind the model's inline reasoning; raises Invalid if there is none."""
    try:
        text = behind_reasoning(reading.text or "")
    except ReasoningError as error:
        if error.kind == "unclosed-think" and objects(reading.text or ""):
            raise Unclear(f"its <think> is never closed, so it is not known what its end is. {_PARSER}") from error
        if error.kind == "unclosed-think":
            raise Invalid("its <think> is never closed") from error
        raise Invalid(f"its reasoning cannot be told from its answer ({error})") from error
    if not text.strip():
        raise Invalid("it is empty")
    return text


def parsed(contract: Contract, reply: Reply) -> dict[str, object] | ReplyFailure:
    """The fields of one reply, or why it has none."""
    return understood(contract, reply.reading()) if reply.ok else ReplyFailure(reply.kind, reply.error)


def understood(contract: Contract, reading: Reading) -> dict[str, object] | ReplyFailure:
    """The fields of what a model said, or why it has none."""
    if reading.failure is not None:
        return reading.failure
    try:
        fields = _fields(contract, reading)
    except Invalid as error:
        return ReplyFailure(Kind.INVALID, str(error), repairable=not isinstance(error, Unclear))
    return unwritable(fields) or fields


def _fields(contract: Contract, reading: Reading) -> dict[str, object]:
    """The fields of what follows the reasoning, or of a text that begins with them.

    Marks within JSON mean nothing, and a model that goes on thinking behind its verdict has given it.
    """
    text = reading.text or ""
    if isinstance(contract, JsonContract) and (fields := contract.bare(text)) is not None:
        return fields  # as nearly all are
    rest = behind_object(text) if isinstance(contract, JsonContract) else None
    if rest is not None and first_mark(rest) is None:
        return contract.parse(text)
    answer = answer_text(reading)
    if isinstance(contract, JsonContract) and (mark := first_mark(answer)):
        with suppress(Invalid):  # then the mark is a word of the answer
            return contract.parse(answer[:mark])
    return contract.parse(answer)


@dataclass(frozen=True)
class Accepting:
    """The review of replies that no contract judges: whole and readable is enough."""

    def __call__(self, request: Request, reply: Reply) -> ReplyFailure | None:
        return reply.reading().failure


@dataclass(frozen=True)
class Repairing:
    """The review of a contract: an invalid reply gets one repair request that carries the error."""

    contract: Contract

    def __call__(self, request: Request, reply: Reply) -> Request | ReplyFailure | None:
        return self.of(request, reply, parsed(self.contract, reply))

    def of(
        self, request: Request, reply: Reply, result: dict[str, object] | ReplyFailure
    ) -> Request | ReplyFailure | None:
        """The verdict on a reply that has been parsed."""
        if not isinstance(result, ReplyFailure):
            return None
        if result.repairable and not request.follows:
            return repair_request(self.contract, request, reply, result)
        return result


def repair_request(contract: Contract, request: Request, reply: Reply, failure: ReplyFailure) -> Request:
    """The request that shows a model its reply and what was wrong with it."""
    said = Message("assistant", reply.reading().text or "")
    asked = Message("user", REPAIR.format(error=failure.error, shape=contract.shape))
    return Request(request.terms, (*request.messages, said, asked), request.sample, follows=request.key)


def _fits(schema: str, value: dict[str, Any]) -> bool:
    try:
        _check(schema, value)
    except Invalid:
        return False
    return True


def _check(schema: str, value: dict[str, Any]) -> None:
    try:
        _validator(schema).validate_python(value)
    except ValidationError as error:
        raise Invalid("; ".join(_explained(error))) from error


@lru_cache(maxsize=64)
def _validator(schema: str) -> TypeAdapter[object]:
    # Kept here and not in the contract, so that contracts can be pickled.
    return validator({"type": "object", **json.loads(schema)})


def _explained(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in detail["loc"]) or "the reply"
        yield f"{where}: {detail['msg']}" + (
            "" if detail["type"] == "missing" else f" (found {detail['input']!r:.200})"
        )


def _tagged(text: str, name: str, field: JsonSchema) -> str | int | float:
    values = re.findall(rf"<{re.escape(name)}>(.*?)</{re.escape(name)}>", text, re.DOTALL)
    if len(values) != 1:
        raise Invalid(f"it has {len(values)} <{name}>...</{name}>, expected 1")
    value: str = values[0].strip()
    kind = field.get("type", "string")
    if kind == "integer" and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    if kind == "number" and re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", value):
        return float(value)
    if kind not in ("string", "integer", "number"):
        raise UsageError(f"the tagged field {name!r} has type {kind!r}; tags can hold string, integer or number")
    return value
