"""The boundary where a foreign reply becomes ours: whatever JSON a server sent is read into typed parts.

Reading never raises. What cannot be used is a `ReplyFailure` of the reading, and bookkeeping that has not its
documented type is unknown. Raw replies are chat completions or Responses API objects; backends that answer in this
process write chat completions. What a stage makes of the text is the part of `contract`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kbtools.data.conversations.fields import Said, said
from kbtools.data.conversations.reasoning_error import ReasoningError
from kbtools.data.writable import broken_character
from kbtools.models.finish import Ending, ending_of
from kbtools.models.kinds import NO_USAGE, Kind, ReplyFailure, Usage
from kbtools.wording import counted

MOST = 2**53
"""Counts beyond this are not counts, and no column of the store holds them."""
Object = Mapping[str, Any]


_DECODER = json.JSONDecoder()


class TokenLogprob(NamedTuple):
    """One generated token with its most likely alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass(slots=True)  # not frozen, which would take four times as long for each row
class Reading:
    """The parts of a raw reply that stages use; `failure` says why its text must not be used."""

    text: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    usage: Usage = NO_USAGE
    failure: ReplyFailure | None = None
    hidden: bool = False
    """Whether some of the reasoning is encrypted or redacted."""


def read_text(raw: str) -> Reading:
    """The reading of a raw reply as it is stored."""
    try:
        payload = parsed_json(raw)
    except ValueError as error:
        return Reading(failure=ReplyFailure(Kind.MALFORMED, str(error)))
    return read_payload(payload)


def parsed_json(raw: str) -> object:
    """The JSON value of a text; ValueError says what is wrong with it."""
    try:  # as nearly all are JSON and nothing else
        value, end = _DECODER.raw_decode(raw)
    except (ValueError, RecursionError):
        end = -1
    if end == len(raw):
        return value
    text = raw.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of more digits than Python reads, which no count is
        return json.loads(text, parse_int=float)


def read_payload(payload: object) -> Reading:
    """The parts of a chat completion or a Responses API object."""
    if not isinstance(payload, dict):
        return _unknown(f"it is a JSON {type(payload).__name__}, no object")
    if isinstance(payload.get("output"), list):
        return _read_response(payload)
    return _read_chat(payload)


def _read_chat(payload: Object) -> Reading:
    usage = _usage(payload, "prompt_tokens", "completion_tokens")
    choices = payload.get("choices")
    if (text := _bare_text(choices)) is not None:
        return Reading(text, finish_reason="stop", usage=usage)
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return _unknown(f"it has no choices; its keys are {_keys(payload)}", usage)
    choice = next((one for one in choices if isinstance(one, dict) and one.get("index") == 0), choices[0])
    message = choice.get("message")
    if not isinstance(message, dict):
        return _unknown(f"its first choice has no message; its keys are {_keys(choice)}", usage)
    logprobs = choice.get("logprobs")
    parts = _Parts(
        message=message,
        finish=_text(choice.get("finish_reason")) or _text(choice.get("native_finish_reason")),
        calls=any(message.get(field) for field in ("tool_calls", "function_call")),
        refusal=_text(message.get("refusal")) or _refused(message.get("content")),
        logprobs=_logprobs(logprobs.get("content") if isinstance(logprobs, dict) else None),
        usage=usage,
    )
    return _reading(parts)


def _bare_text(choices: object) -> str | None:
    """The text of an only choice that has nothing else and needs no look at its characters, as nearly all have."""
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return None
    message, others = choices[0].get("message"), choices[0].get("logprobs")
    if others or choices[0].get("finish_reason") != "stop" or not isinstance(message, dict):
        return None
    text = message.get("content")
    if not isinstance(text, str) or not text.isascii():
        return None
    return None if any(message[name] for name in message if name not in _TURN) else text


_TURN = ("role", "content")


def _read_response(payload: Object) -> Reading:
    items = [item for item in payload["output"] if isinstance(item, Mapping)]
    parts = [part for item in items if item.get("type") == "message" for part in _list(item.get("content"))]
    seen = [part for part in parts if isinstance(part, Mapping)]
    texts = [{"type": "text", "text": part.get("text")} for part in seen if part.get("type") != "refusal"]
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    return _reading(
        _Parts(
            message={"content": [*thoughts, *texts]},
            finish=_response_finish(payload),
            calls=any(str(item.get("type")).endswith("_call") for item in items),
            refusal=_refused(seen),
            logprobs=_logprobs([token for part in seen for token in _list(part.get("logprobs"))]),
            usage=_usage(payload, "input_tokens", "output_tokens"),
        )
    )


class _Parts(NamedTuple):
    """What both forms of a reply have, before it is judged."""

    message: Object
    finish: str | None
    calls: bool
    refusal: str | None
    logprobs: tuple[TokenLogprob, ...]
    usage: Usage


def _reading(parts: _Parts) -> Reading:
    try:
        found = said({**parts.message, "content": _content(parts.message.get("content"))})
    except ReasoningError as error:
        what = "its reasoning" if error.kind == "unread-reasoning" else "its content"
        return _unknown(f"{what} is neither text nor parts with text", parts.usage)
    failure = _failure(parts, found)
    said_apart = found.text, found.reasoning, parts.finish
    return Reading(*said_apart, parts.refusal, parts.logprobs, parts.usage, failure, found.hidden)


def _failure(parts: _Parts, found: Said) -> ReplyFailure | None:
    """Why the text must not be used, whatever is wanted of it."""
    if (unfit := unwritable({"content": found.text, "reasoning": found.reasoning})) is not None:
        return unfit
    if parts.calls or ending_of(parts.finish) is Ending.CALL:
        return ReplyFailure(Kind.TOOL_CALL, "the model called a tool, and none was offered to it")
    if parts.refusal:
        return ReplyFailure(Kind.REFUSED, f"the model refused: {parts.refusal}")
    if found.others:
        return ReplyFailure(Kind.UNKNOWN_SHAPE, f"its content has parts of the types {', '.join(found.others)}")
    return _cut(parts.finish, found)


def _cut(finish: str | None, found: Said) -> ReplyFailure | None:
    match ending_of(finish):
        case Ending.LIMIT:
            why = "" if finish == "length" else f" ({finish})"
            return ReplyFailure(
                Kind.TRUNCATED,
                f"the reply was cut off at max_tokens{why}; allow it more tokens with --max-reply-tokens",
            )
        case Ending.FILTERED:
            return ReplyFailure(Kind.CONTENT_FILTER, "the server's content filter cut the reply")
        case Ending.BROKEN:
            return ReplyFailure(Kind.SERVER, f"the server broke off the reply (finish_reason {finish!r})")
        case Ending.UNKNOWN:
            return ReplyFailure(Kind.INCOMPLETE, f"nothing says that the reply is complete (finish_reason {finish!r})")
    if found.reasoning and not (found.text or "").strip():
        return ReplyFailure(
            Kind.INVALID,
            f"{counted(len(found.reasoning), 'character')} of reasoning and no content: raise "
            "--max-reply-tokens, or check the "
            "server's reasoning parser",
        )
    return None


def unwritable(values: Mapping[str, object]) -> ReplyFailure | None:
    """The failure for the first text among the values that neither UTF-8 nor a column can hold; None if all can be."""
    for name, value in values.items():
        if isinstance(value, str) and value.isascii():
            continue
        if (at := broken_character(value)) is not None:
            return ReplyFailure(
                Kind.INVALID, f"{name} holds half a surrogate pair at character {at}, which no column can hold"
            )
    return None


def _content(content: object) -> object:
    """A content as parts, those apart that say a refusal; single parts and bare texts are parts like others."""
    if content is None or isinstance(content, str):
        return content
    parts = [content] if isinstance(content, Mapping) else content
    if not isinstance(parts, list):
        return content
    whole = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return [part for part in whole if not (isinstance(part, Mapping) and _says_nothing(part))]


def _says_nothing(part: Object) -> bool:
    """Whether a part is a refusal, which is read apart, or a text that is null."""
    return part.get("type") == "refusal" or (
        part.get("type") in ("text", "output_text") and part.get("text", "") is None
    )


def _refused(content: object) -> str | None:
    """The refusal among the parts of a content."""
    parts = [part for part in _list(content) if isinstance(part, Mapping) and part.get("type") == "refusal"]
    return "".join(_text(part.get("refusal")) or "" for part in parts) or None


def _response_finish(payload: Object) -> str | None:
    details = payload.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    word = _text(reason) or _text(payload.get("status")) or "completed"
    return {"max_output_tokens": "length", "completed": "stop"}.get(word, word)


def _unknown(what: str, usage: Usage = NO_USAGE) -> Reading:
    failure = ReplyFailure(Kind.UNKNOWN_SHAPE, f"the reply has a shape that kbtools does not know: {what}")
    return Reading(usage=usage, failure=failure)


def _keys(value: Object) -> str:
    return ", ".join(sorted(map(str, value))) or "none"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _logprobs(tokens: object) -> tuple[TokenLogprob, ...]:
    """The tokens that have a text and a log probability, up to the first that has not: later places would shift."""
    found = []
    for entry in _list(tokens):
        known = _logprob(entry)
        if known is None:
            break
        top = (_logprob(other) for other in _list(entry.get("top_logprobs")))
        found.append(TokenLogprob(*known, tuple(pair for pair in top if pair is not None)))
    return tuple(found)


def _logprob(entry: object) -> tuple[str, float] | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("token"), str):
        return None
    value = entry.get("logprob")
    if isinstance(value, bool) or not isinstance(value, int | float) or not value <= 1e-6:
        return None
    return entry["token"], float(value)


def _usage(payload: Object, prompt: str, completion: str) -> Usage:
    usage = payload.get("usage")
    if not isinstance(usage, dict):
        return NO_USAGE
    return Usage(_count(usage.get(prompt)), _count(usage.get(completion)))


def _count(value: object) -> int | None:
    """A count of tokens; None for what is none."""
    if type(value) is int:
        return value if 0 <= value < MOST else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST:
        return None
    return int(value) if int(value) == value else None
