"""The layout of trajectories in the Agent Trajectory Interchange Format, as Harbor and others write them.

A trajectory is one rollout; so is each that it embeds for an agent of its own. Steps that were copied from an earlier
trajectory, and those that no model took part in, are not what the model wrote here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kbtools.rollouts import Function, Message, Rollout, RolloutLayout, Row, ToolCall, Unconvertible
from kbtools_plugins.rollouts.messages import arguments_text, message_of
from kbtools_plugins.rollouts.values import as_json, finite, label, mapping, objects, text, tools_as_json
from kbtools_plugins.rollouts.verifiers import info_of

NEWEST = 7
"""Last minor version whose meaning is known: each so far has only added to the one before."""
_ROLES = {"system": "system", "user": "user", "agent": "assistant"}
_BESIDE = ("notes", "continued_trajectory_ref")


def read(row: Row, reasoning_field: str) -> list[Rollout]:
    """The rollouts of a trajectory and of all that are embedded in it, outermost first."""
    found: list[Rollout] = []
    waiting: list[tuple[Row, str | None, str]] = [(row, None, "")]
    while waiting:
        trajectory, parent, version = waiting.pop(0)
        version = _checked_version(trajectory, version)
        name = label(trajectory.get("trajectory_id")) or label(trajectory.get("session_id"))
        found.append(_rollout(trajectory, parent))
        inner = objects("subagent_trajectories", trajectory.get("subagent_trajectories"))
        waiting.extend((embedded, name, version) for embedded in inner)
    return found


LAYOUT = RolloutLayout("atif", (frozenset({"schema_version", "steps"}),), read)


def _checked_version(trajectory: Row, outer: str) -> str:
    version = label(trajectory.get("schema_version")) or outer
    minor = re.fullmatch(r"(?:ATIF-)?v?1\.(\d+)", version)
    if not minor or int(minor[1]) > NEWEST:
        known = f"ATIF-v1.0 to ATIF-v1.{NEWEST} are known"
        raise Unconvertible("unknown-version", f"its schema_version is {version!r:.60}; {known}")
    return version


@dataclass(frozen=True)
class _Said:
    """A message, and whether the model wrote it in this trajectory or it was copied from an earlier one."""

    message: Message
    wrote: bool
    copied: bool


def _rollout(trajectory: Row, parent: str | None) -> Rollout:
    said = [one for step in objects("steps", trajectory.get("steps")) for one in _step(step)]
    copied = max((at for at, one in enumerate(said, start=1) if one.copied), default=0)
    first = next((at for at, one in enumerate(said) if one.wrote and at >= copied), len(said))
    agent, extra = (mapping(name, trajectory.get(name)) for name in ("agent", "extra"))
    error = extra.get("error") or extra.get("exception")
    return Rollout(
        example_id=None,
        prompt=[one.message for one in said[:first]],
        completion=[one.message for one in said[first:]],
        new_turns=[one.wrote for one in said[first:]],
        task=label(extra.get("task") or extra.get("task_name")),
        reward=finite("reward", extra.get("reward")),
        info=info_of({key: value for key, value in extra.items() if key != "name"}),
        num_turns=float(sum(one.wrote for one in said)),
        oai_tools=tools_as_json(objects("agent.tool_definitions", agent.get("tool_definitions"))),
        trace_id=label(trajectory.get("trajectory_id")) or label(trajectory.get("session_id")),
        parent_id=parent,
        episode_id=label(trajectory.get("session_id")),
        agent=label(agent.get("name")),
        trainable=True,
        model=label(agent.get("model_name")),
        error=arguments_text(error) if error else None,
        task_data=as_json(extra.get("task_data")),
        trace_info=as_json(_info(trajectory, extra)),
    )


def _info(trajectory: Row, extra: Row) -> Row:
    """What a trajectory says beside its steps and its agent."""
    found = {key: trajectory.get(key) for key in _BESIDE}
    found |= {"extra": extra, "final_metrics": mapping("final_metrics", trajectory.get("final_metrics"))}
    return {key: value for key, value in found.items() if value}


def _step(step: Row) -> Iterator[_Said]:
    """The message of a step, and what the environment answered to it."""
    source = label(step.get("source"))
    role = _ROLES.get(source or "")
    if role is None:
        raise Unconvertible("unknown-source", f"step {step.get('step_id')} is of source {source!r:.40}")
    copied = step.get("is_copied_context") is True
    wrote = source == "agent" and not copied and step.get("llm_call_count") != 0
    calls = tuple(_call(call) for call in objects("tool_calls", step.get("tool_calls"))) or None
    spoken = message_of({"role": role, "content": step.get("message"), "reasoning": _thought(step)})
    if spoken.content or calls or source == "agent":
        yield _Said(replace(spoken, tool_calls=calls), wrote, copied)
    observation = mapping("observation", step.get("observation"))
    for result in objects("observation.results", observation.get("results")):
        yield _Said(_answer(result, calls or ()), wrote=False, copied=copied)


def _thought(step: Row) -> str | None:
    return text("reasoning_content", step.get("reasoning_content"))


def _call(call: Row) -> ToolCall:
    name = text("function_name", call.get("function_name"))
    if name is None:
        raise Unconvertible("no-tool-name", f"one of its tool calls names no tool, but has {', '.join(sorted(call))}")
    arguments = {} if call.get("arguments") is None else call["arguments"]
    return ToolCall(Function(name, arguments_text(arguments)), text("tool_call_id", call.get("tool_call_id")))


def _answer(result: Row, calls: tuple[ToolCall, ...]) -> Message:
    """What came back: from the tool that was called, or from the environment of an agent that writes its commands."""
    place = text("source_call_id", result.get("source_call_id"))
    only = calls[0].id if len(calls) == 1 else None
    role = "tool" if calls or place else "user"
    return replace(message_of({"role": role, "content": result.get("content")}), tool_call_id=place or only)
