"""What is asked of a model: a request, its canonical JSON and the key by which its reply is stored.

The key covers the model, the messages, the sampling, the response format and the sample index, and nothing
else: neither the endpoint nor the dataset row, so that equal questions are one question everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from kbtools.data.digest import sha256

BYTES_PER_TOKEN = 3.5
"""Rough average for prompts that hold code; real usage is recorded from every reply."""
TOKENS_PER_MESSAGE = 4


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    content: str


class Sampling(BaseModel):
    """How a reply is drawn; what is None is left to the server and is not part of the key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = None
    """0 is greedy, and still not deterministic on most servers."""
    top_p: float | None = None
    """Nucleus sampling threshold."""
    max_tokens: int | None = None
    """Most tokens of a reply, reasoning included."""
    seed: int | None = None
    """Seed of sample 0; sample i is sent seed + i."""
    stop: tuple[str, ...] | None = None
    """Texts that end a reply."""
    logprobs: bool | None = None
    """Ask for the log probability of each token."""
    top_logprobs: int | None = None
    """Ask for that many alternatives per token."""
    reasoning_effort: str | None = None
    """Passed on to models that reason."""
    extra: dict[str, Any] = {}
    """Further fields of the request body, for servers that have them."""

    def fields(self) -> dict[str, Any]:
        """The parameters that are set, `extra` merged in."""
        known = self.model_dump(exclude={"extra"}, exclude_none=True, mode="json")
        return {**known, **self.extra}


SERVER_DEFAULTS = Sampling()


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What the requests of a stage share: all but the messages, with its JSON made once. Equal only to itself.

    `response_format` is the OpenAI form (`{"type": "json_schema", ...}`) and must not be changed afterwards.
    """

    model: str
    sampling: Sampling = SERVER_DEFAULTS
    response_format: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    """The sampling parameters that are set."""
    middle: str = field(init=False, repr=False, compare=False)
    end: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        set_once = partial(object.__setattr__, self)
        set_once("fields", self.sampling.fields())
        set_once("middle", f'"model":{quoted(self.model)},"response_format":{canonical_json(self.response_format)}')
        set_once("end", f'"sampling":{canonical_json(self.fields)}')

    def wire_sampling(self, sample: int) -> dict[str, Any]:
        """Sampling as sent: a given seed is moved on by the sample index, else all samples would be equal."""
        fields = dict(self.fields)
        if "seed" in fields:
            fields["seed"] += sample
        return fields


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One question to a model; equal requests have equal keys and are sent once.

    `follows` is the key of the request whose reply this one repairs or continues; it is not part of the key,
    because the messages already hold that reply.
    """

    terms: Terms
    messages: tuple[Message, ...]
    sample: int = 0
    follows: str = ""
    turns: str = field(init=False, repr=False)
    """The messages as JSON, which the key, the call and the store have in common."""
    key: str = field(init=False)

    def __post_init__(self) -> None:
        # Put together by hand, in the sorted order of the names: it is made for every row, at each plan and replay.
        turns = ",".join(
            [f'{{"content":{quoted(message.content)},"role":{quoted(message.role)}}}' for message in self.messages]
        )
        object.__setattr__(self, "turns", f"[{turns}]")
        object.__setattr__(self, "key", key_of(self.canonical()))

    @property
    def model(self) -> str:
        """Which model is asked."""
        return self.terms.model

    @property
    def sampling(self) -> Sampling:
        """How the reply is drawn."""
        return self.terms.sampling

    @property
    def response_format(self) -> Mapping[str, Any] | None:
        """The form that the server is asked to give the reply."""
        return self.terms.response_format

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def canonical(self) -> str:
        """The JSON text whose sha256 is the key."""
        return f'{{"messages":{self.turns},{self.terms.middle},"sample":{self.sample:d},{self.terms.end}}}'


def chat(
    model: str,
    messages: Iterable[Mapping[str, str]],
    *,
    sampling: Sampling = SERVER_DEFAULTS,
    response_format: Mapping[str, object] | None = None,
    sample: int = 0,
) -> Request:
    """A request from `{role, content}` mappings, as prompts and datasets hold them."""
    return Request(Terms(model, sampling, response_format), turns_of(messages), sample)


def turns_of(messages: Iterable[Mapping[str, str]]) -> tuple[Message, ...]:
    """The turns that `{role, content}` mappings are."""
    return tuple([Message(message["role"], message["content"]) for message in messages])


def request_from_canonical(text: str) -> Request:
    """The request whose canonical JSON this is."""
    held = json.loads(text)
    return chat(
        held["model"],
        held["messages"],
        sampling=Sampling(extra=held["sampling"]),
        response_format=held["response_format"],
        sample=held["sample"],
    )


def canonical_json(value: object) -> str:
    """Sorted keys, no spaces, ASCII only, so that lone surrogates in code survive hashing and storing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def key_of(canonical: str) -> str:
    """sha256 of the canonical JSON, in hex."""
    return sha256(canonical.encode("ascii"))


def estimated_prompt_tokens(request: Request) -> int:
    """UTF-8 bytes / 3.5 plus 4 per message: good to about a quarter for code, for estimates only."""
    return round(_prompt_bytes(request) / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * len(request.messages)


def most_prompt_tokens(request: Request) -> int:
    """A bound that byte-level tokenizers cannot exceed: a token per byte, and room for the chat template."""
    return _prompt_bytes(request) + 64 + 16 * len(request.messages)


def _prompt_bytes(request: Request) -> int:
    text = sum(len(message.content.encode("utf-8", "surrogatepass")) for message in request.messages)
    return text + (len(canonical_json(request.response_format)) if request.response_format else 0)
