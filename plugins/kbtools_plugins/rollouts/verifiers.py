"""The layout of verifiers v1: traces, and episodes of several traces; prime-rl's dumps of rollouts are the same.

A trace is a graph of messages. Each path from a root to a leaf is one rollout: its prompt ends before the first message
that the model wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from kbtools.rollouts import Info, Message, Rollout, RolloutLayout, Row, Unconvertible
from kbtools_plugins.rollouts.messages import message_of
from kbtools_plugins.rollouts.values import (
    Times,
    as_json,
    finite,
    label,
    mapping,
    number,
    objects,
    text,
    tools_as_json,
    whole,
)

VERSION = 1
"""Version of the traces of verifiers 0.4; those before had none."""
_CUT = frozenset({"max_turns", "max_input_tokens", "max_output_tokens", "max_total_tokens", "compaction_failed"})
_PHASES = ("boot", "setup", "agent", "generation", "finalize", "scoring")


def read(row: Row, reasoning_field: str) -> list[Rollout]:
    """The rollouts of a trace or of an episode, every branch of every agent."""
    if row.get("traces") is None:
        return list(_of_trace(row, reasoning_field))
    group = label(mapping("group", row.get("group")).get("id"))
    error = f"episode: {_last_error(row)}" if row.get("ok") is False else None
    traces = [row] if not objects("traces", row["traces"]) else objects("traces", row["traces"])
    return [
        replace(rollout, episode_id=label(row.get("id")), group_id=group, error=rollout.error or error)
        for trace in traces
        for rollout in _of_trace(trace, reasoning_field)
    ]


LAYOUT = RolloutLayout("verifiers-v1", (frozenset({"task", "nodes"}), frozenset({"task", "traces"})), read)


@dataclass(frozen=True)
class _Node:
    """One message of the graph."""

    place: int
    parent: int | None
    row: Row
    message: Message
    sampled: bool


def _of_trace(trace: Row, reasoning_field: str) -> Iterator[Rollout]:
    version = trace.get("version")
    if version is not None and (type(version) is not int or version != VERSION):
        raise Unconvertible("unknown-version", f"its trace is of version {version!r}; version {VERSION} is known")
    nodes = _nodes(trace, reasoning_field)
    paths, seen, taken = list(_paths(nodes)), set[int](), _taken(nodes)
    common = _common(trace, sum(node.sampled for node in nodes))
    if not paths:  # it ended before anybody said anything
        yield common
    for index, path in enumerate(paths):
        first = next((at for at, node in enumerate(path) if node.sampled), len(path))
        calls = objects("calls", trace.get("calls"))
        yield replace(
            common,
            prompt=[node.message for node in path[:first]],
            completion=[node.message for node in path[first:]],
            new_turns=[node.sampled and node.place not in seen for node in path[first:]],
            branch=index,
            branches=len(paths),
            oai_tools=tools_as_json(objects("tools", path[0].row.get("tools") or trace.get("tools"))),
            trainable=common.trainable and _is_wanted(path[-1], taken),
            model=_model(calls, {node.place for node in path}) or common.model,
        )
        seen.update(node.place for node in path)


def _nodes(trace: Row, reasoning_field: str) -> list[_Node]:
    rows = objects("nodes", trace.get("nodes"))
    says = any("sampled" in row for row in rows)
    found = []
    for place, row in enumerate(rows):
        parent = row.get("parent")
        if parent is not None and (type(parent) is not int or parent not in range(place)):
            raise Unconvertible("broken-graph", f"its message {place} follows {parent!r:.20}, which is not before it")
        message = message_of(mapping("message", row.get("message")), reasoning_field)
        wrote = bool(row.get("sampled")) if says else message.role == "assistant"
        found.append(_Node(place, parent, row, message, wrote))
    return found


def _paths(nodes: Sequence[_Node]) -> Iterator[list[_Node]]:
    """From its root to each leaf, in the order of the leaves."""
    parents = {node.parent for node in nodes}
    for leaf in nodes:
        if leaf.place in parents:
            continue
        path = [leaf]
        while path[-1].parent is not None:
            path.append(nodes[path[-1].parent])
        yield path[::-1]


def _is_wanted(leaf: _Node, taken: Set[int]) -> bool:
    """Whether a branch is not an attempt at a summary from which the agent never went on."""
    return leaf.place in taken or all(link.get("type") != "compaction_attempt" for link in _links(leaf))


def _taken(nodes: Sequence[_Node]) -> set[int]:
    """Places of the messages from whose summaries the agent went on."""
    links = [link for node in nodes for link in _links(node) if link.get("type") == "compaction"]
    return {link["node"] for link in links if type(link.get("node")) is int}


def _links(node: _Node) -> list[Row]:
    return objects("semantic_parents", node.row.get("semantic_parents"))


def _common(trace: Row, turns: int) -> Rollout:
    """What all branches of a trace share."""
    task = mapping("task", trace.get("task"))
    data = mapping("task.data", task.get("data")) if "data" in task else task
    agent = mapping("agent", trace.get("agent"))
    rewards, metrics = (mapping(name, trace.get(name)) for name in ("rewards", "metrics"))
    times = _times(mapping("timing", trace.get("timing")))
    error = _last_error(trace) if trace.get("ok") is False or trace.get("error") else None
    return Rollout(
        example_id=None if data.get("idx") is None else whole("task.data.idx", data["idx"]),
        prompt=(),
        completion=(),
        task=label(task.get("type")),
        reward=None if error and not rewards else _reward(rewards),
        generation_ms=times.generation,
        scoring_ms=times.scoring,
        total_ms=times.total,
        info=info_of(data),
        answer=label(data.get("answer")) or "",
        speedup_reward=finite("speedup_reward", metrics.get("speedup_reward")),
        num_turns=float(turns),
        trace_id=label(trace.get("id")),
        agent=label(agent.get("name")),
        trainable=agent.get("trainable") is not False,
        model=_named_model(agent),
        stop_condition=label(trace.get("stop_condition")),
        is_truncated=_is_cut(trace),
        error=error,
        rewards=as_json(rewards),
        metrics=as_json(metrics),
        task_data=as_json(data),
        trace_info=as_json(trace.get("info")),
    )


def info_of(data: Row) -> Info:
    """What the data of a task says of the module; the tasks of `kbtools env` have its name alone."""
    inner = mapping("info", data.get("info"))
    found = {key: inner.get(key, data.get(key)) for key in ("module_name", "python_code", "triton_code")}
    found["module_name"] = found["module_name"] or data.get("name")
    return Info(**{key: text(f"info.{key}", value) for key, value in found.items()})


def _reward(rewards: Row) -> float | None:
    """The weighted sum of the rewards; null where one of them is not a number."""
    values = [_value(name, reward) for name, reward in rewards.items() if reward is not None]
    return None if None in values else sum((value for value in values if value is not None), 0.0)


def _value(name: str, reward: object) -> float | None:
    if not isinstance(reward, Mapping):
        return finite(f"reward {name}", reward)
    score = finite(f"reward {name}", reward.get("score"))
    weight = number(f"weight of {name}", reward.get("weight", 1.0))
    return None if score is None or weight is None else score * weight


def _last_error(row: Row) -> str:
    """The last error that a trace or an episode recorded, or what ended it where it recorded none."""
    errors = objects("errors", row.get("errors")) or [_one_error(row.get("error"))]
    words = (label(errors[-1].get(key)) for key in ("type", "message"))
    return ": ".join(filter(None, words)) or label(row.get("stop_condition")) or "it failed without an error"


def _one_error(value: object) -> Row:
    return value if isinstance(value, Mapping) else {"message": value}


def _is_cut(trace: Row) -> bool:
    if isinstance(said := trace.get("is_truncated"), bool):
        return said
    calls = [call for call in objects("calls", trace.get("calls")) if call.get("error") is None]
    return label(trace.get("stop_condition")) in _CUT or bool(calls and calls[-1].get("finish_reason") == "length")


def _model(calls: Sequence[Row], places: set[int]) -> str | None:
    ours = (call for call in calls if type(call.get("node")) is int and call["node"] in places)
    return next((label(call["model"]) for call in ours if call.get("model")), None)


def _named_model(agent: Row) -> str | None:
    return label(mapping("agent.config", agent.get("config")).get("model"))


def _times(timing: Row) -> Times:
    spans = {name: mapping(f"timing.{name}", timing.get(name)) for name in _PHASES}
    ends = [end for span in spans.values() if (end := finite("timing", span.get("end")))]
    start = finite("timing", timing.get("start"))
    return Times(
        _duration(spans["agent"]) or _duration(spans["generation"]),
        _duration(spans["scoring"]),
        (max(ends) - start) * 1000 if ends and start else None,
    )


def _duration(span: Row) -> float | None:
    start, end = finite("timing", span.get("start")), finite("timing", span.get("end"))
    return (end - start) * 1000 if start and end else None
