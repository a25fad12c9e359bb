"""The layout of prime-rl's datasets of traces: one branch of a trace in each row, as messages of chat APIs.

prime-rl's dumps of whole episodes are read by `verifiers`. Here nothing says which turns the model wrote: what the
first assistant's turn begins is the completion.
"""

from __future__ import annotations

from kbtools.rollouts import Rollout, RolloutLayout, Row
from kbtools_plugins.rollouts.messages import message_of
from kbtools_plugins.rollouts.values import (
    as_json,
    finite,
    label,
    mapping,
    objects,
    tools_as_json,
    truth,
    whole,
    without_nulls,
)
from kbtools_plugins.rollouts.verifiers import info_of


def read(row: Row, reasoning_field: str) -> list[Rollout]:
    """The rollout of a row."""
    messages = [message_of(without_nulls(m), reasoning_field) for m in objects("messages", row.get("messages"))]
    first = next((at for at, message in enumerate(messages) if message.role == "assistant"), len(messages))
    data, metrics = mapping("task_data", row.get("task_data")), mapping("metrics", row.get("metrics"))
    return [
        Rollout(
            example_id=None if data.get("idx") is None else whole("task_data.idx", data["idx"]),
            prompt=messages[:first],
            completion=messages[first:],
            task=label(row.get("task_type")),
            reward=finite("reward", row.get("reward")),
            info=info_of(data),
            answer=label(data.get("answer")) or "",
            speedup_reward=finite("speedup_reward", metrics.get("speedup_reward")),
            num_turns=finite("num_turns", row.get("num_turns")),
            oai_tools=tools_as_json(objects("tools", row.get("tools"))),
            trace_id=label(row.get("trace_id")),
            episode_id=label(row.get("episode_id")),
            group_id=label(row.get("group_id")),
            branch=whole("branch_index", row.get("branch_index")),
            branches=whole("num_branches", row.get("num_branches", 1)),
            agent=label(row.get("agent")),
            trainable=truth("trainable", row.get("trainable")),
            stop_condition=label(row.get("stop_condition")),
            is_truncated=truth("is_truncated", row.get("is_truncated")),
            error=_error(row),
            rewards=as_json(row.get("rewards")),
            metrics=as_json(metrics),
            task_data=as_json(data),
            trace_info=as_json(row.get("info")),
        )
    ]


LAYOUT = RolloutLayout("prime-rl", (frozenset({"trace_id", "branch_index", "messages"}),), read)


def _error(row: Row) -> str | None:
    if not row.get("has_error"):
        return None
    words = ": ".join(filter(None, (label(row.get(key)) for key in ("error_type", "error_message"))))
    return words or label(row.get("stop_condition")) or "it failed without an error"
