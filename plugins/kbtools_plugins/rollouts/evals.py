"""The layout of one conversation a row, which becomes one row of the evals layout.

Three generations of it are known: the results of vf-eval with a trajectory beside the messages, the output of
prime-rl's synthesize with reasoning in the messages, and the results of verifiers before v1 with their timing and
metrics as objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kbtools.data.columns import evals_features
from kbtools.data.conversations.fields import merged, said, texts_of
from kbtools.data.conversations.messages import calls_tool, decode
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.rollouts import Info, Message, Rollout, RolloutLayout, Row, Unconvertible
from kbtools.wording import counted
from kbtools_plugins.rollouts.messages import message_of
from kbtools_plugins.rollouts.values import Times, decoded, finite, mapping, number, text, tools_as_json, whole

_SIGNATURES = tuple(frozenset({"example_id", "prompt", "completion", times}) for times in ("generation_ms", "timing"))


def read(row: Row, reasoning_field: str) -> list[Rollout]:
    """The rollout of a row; Unconvertible when it failed, or would lose something."""
    if row.get("error"):
        raise Unconvertible("failed-rollout", f"the rollout ended in an error ({str(row['error'])[:200]})")
    if row.get("trajectory", "") is None and not {"oai_tools", "timing"} & row.keys():
        seen = ", ".join(sorted(key for key, value in row.items() if value is not None))
        raise Unconvertible("unknown-layout", f"it has {seen}; without its trajectory its reasoning would be lost")
    times, metrics = _times(row), mapping("metrics", row.get("metrics"))
    speedup, turns = (finite(name, row.get(name, metrics.get(name))) for name in ("speedup_reward", "num_turns"))
    return [
        Rollout(
            example_id=whole("example_id", row["example_id"]),
            prompt=[_message(message) for message in _messages(row, "prompt")],
            completion=_completion(row, row.get("reasoning_field") or reasoning_field),
            task=text("task", row.get("task")),
            reward=finite("reward", row.get("reward")),
            generation_ms=times.generation,
            scoring_ms=times.scoring,
            total_ms=times.total,
            info=_info(row.get("info")),
            answer=text("answer", row.get("answer")) or "",  # newer verifiers leave an empty answer out
            speedup_reward=speedup,
            num_turns=turns,
            oai_tools=_tools(row),
        )
    ]


LAYOUT = RolloutLayout("evals", _SIGNATURES, read, evals_features)


def _messages(row: Row, key: str) -> list[dict[str, object]]:
    try:
        return decode(row[key])
    except ReasoningError:
        raise Unconvertible("not-messages", f"its {key} is not a list of messages with a role") from None


def _message(row: Row) -> Message:
    if calls_tool(row):
        raise Unconvertible("tool-call", "evals rows have no place for the tool call of one of its messages")
    return replace(message_of({key: row.get(key) for key in ("role", "content")}), reasoning=None)


def _completion(row: Row, reasoning_field: str) -> list[Message]:
    """The turns, each with its own reasoning: that in the message, or else that of the same turn of the trajectory."""
    messages = _messages(row, "completion")
    found = [_reasoning(message, reasoning_field) if message["role"] == "assistant" else None for message in messages]
    spoken = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    steps = row.get("trajectory")
    if steps is not None and any(found[index] is None for index in spoken):
        if len(steps) != len(spoken):
            what = f"its trajectory has {counted(len(steps), 'step')} for {counted(len(spoken), 'assistant turn')}"
            raise Unconvertible("trajectory-mismatch", what)
        for index, step in zip(spoken, steps, strict=True):
            found[index] = found[index] or _reasoning(_answered(step), reasoning_field)
    return [
        replace(_message(message), reasoning=reason, hidden=message["role"] == "assistant" and said(message).hidden)
        for message, reason in zip(messages, found, strict=True)
    ]


def _reasoning(message: Row, field: str) -> str | None:
    try:
        return merged(texts_of(message.get(field))) if field else said(message).reasoning
    except ReasoningError as error:
        raise Unconvertible(error.kind, "the reasoning of one of its messages cannot be read as text") from None


def _answered(step: Any) -> Mapping[str, Any]:
    """The message with which a model answered in one step of a trajectory; empty where it did not."""
    response = decoded((step or {}).get("response")) or {}
    choices = response.get("choices") or [response]
    return choices[0].get("message") or {}


def _times(row: Row) -> Times:
    timing = decoded(row.get("timing")) or row
    names = ("generation", "scoring", "total")
    if any(timing.get(f"{name}_ms") is not None for name in names):
        return Times(*(number(name, timing.get(f"{name}_ms")) for name in names))
    seconds = [_seconds(timing.get(name)) for name in names]
    return Times(*(None if value is None else value * 1000 for value in seconds))


def _seconds(span: object) -> float | None:
    """Duration of a span of newer verifiers, which count seconds."""
    if not isinstance(span, Mapping):
        return number("timing", span)
    if span.get("duration") is not None:
        return number("timing", span["duration"])
    start, end = number("timing", span.get("start")), number("timing", span.get("end"))
    return None if start is None or end is None else end - start


def _info(value: object) -> Info:
    info = decoded(value)
    if not isinstance(info, Mapping) or info.get("module_name") is None or info.get("python_code") is None:
        raise Unconvertible("no-info", "its info lacks the module_name or the python_code")
    return Info(**{key: text(f"info.{key}", info.get(key)) for key in ("module_name", "python_code", "triton_code")})


def _tools(row: Row) -> str | None:
    """The tools as JSON text; text that is such already stays as it is."""
    tools = row.get("oai_tools") if row.get("oai_tools") is not None else row.get("tool_defs")
    if isinstance(tools, str):
        return None if decoded(tools) in (None, [], "") else tools
    return tools_as_json(tools or [])
