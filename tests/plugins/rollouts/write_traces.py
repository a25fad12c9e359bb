"""Traces as verifiers 0.4 writes them: run in an environment that has it, `python write_traces.py COUNT FOLDER`.

Every trace is made by verifiers' own graph, turn by turn, of conversations about kernels that are ours, and written by
its own writer. Beside `traces.jsonl` goes `branches.jsonl`: each branch as verifiers itself reads it back, its messages
in the form of chat APIs, which is what prime-rl's converter makes a row of.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from verifiers.v1 import Trace, WireEpisode
from verifiers.v1.configs.agent import WireAgentConfig
from verifiers.v1.dialects.chat import message_to_wire
from verifiers.v1.episode import EnvInfo, Episode, GroupInfo
from verifiers.v1.graph import prepare_turn
from verifiers.v1.semantic import ParentLink
from verifiers.v1.state import State
from verifiers.v1.task import WireTaskData
from verifiers.v1.trace import AgentInfo, AgentSpan, Error, ModelCall, TimeSpan, Timing, TraceTask, VersionInfo
from verifiers.v1.types import (
    AssistantMessage,
    Response,
    SystemMessage,
    Tool,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from verifiers.v1.utils.trace_store import write_episode

COMPILE = Tool(
    name="compile",
    description="Compile a kernel.",
    parameters={"type": "object", "properties": {"code": {"type": "string"}}},
)
TIME = Tool(
    name="time", description="Time it.", parameters={"type": "object", "properties": {"runs": {"type": "integer"}}}
)
FIRST = ("What is the shape?", "x = 1\ny = 2", "Größe: 3 µs", "", 'a "quoted" \\ text', "  spaces\t")


class Script:
    """One trace under way, with the chance that decides what happens next."""

    def __init__(self, chance: random.Random, trace: Trace) -> None:
        self.chance, self.trace = chance, trace
        self.messages: list[Any] = []
        self.tools = [COMPILE, TIME] if chance.random() < 0.6 else []

    def begin(self, task: str) -> None:
        """The system prompt, if there is one, and the task."""
        if self.chance.random() < 0.5:
            self.messages.append(SystemMessage(content="Write Triton kernels."))
        self.messages.append(UserMessage(content=f"Write {task}."))

    def turn(self) -> None:
        """The model answers, perhaps by calling tools that answer in turn; its answer is committed to the graph."""
        calls = None
        if self.tools and self.chance.random() < 0.6:
            calls = [self.call(n) for n in range(self.chance.randint(1, 2))]
        text = self.chance.choice([None, *FIRST]) if calls else self.chance.choice(FIRST)
        thought = self.chance.choice([None, "First the loads.", "Then\n\nthe stores."])
        answer = AssistantMessage(content=text, reasoning_content=thought, tool_calls=calls)
        self.commit(answer)
        self.messages.append(answer)
        for call in calls or []:
            self.messages.append(ToolMessage(tool_call_id=call.id, content=f"{call.name}: ok", name=call.name))
        if not calls:
            self.messages.append(UserMessage(content=self.chance.choice(("Faster.", "Wrong at row 3.", "Go on."))))

    def commit(self, answer: AssistantMessage) -> int:
        """The answer as a node, and the call that brought it."""
        reason = "tool_calls" if answer.tool_calls else self.chance.choice(("stop", "stop", "length"))
        usage = Usage(prompt_tokens=self.chance.randint(10, 99), completion_tokens=self.chance.randint(1, 50))
        reply = Response(id="r", created=0, model="tiny", message=answer, finish_reason=reason, usage=usage)
        node = prepare_turn(self.trace, list(self.messages), self.tools).commit(reply)
        self.trace.calls.append(ModelCall(node=node, model="tiny", finish_reason=reason, usage=usage))
        return node

    def call(self, number: int) -> ToolCall:
        """A tool call whose arguments have other keys each time, null among them."""
        arguments = self.chance.choice(
            ({"code": "x", "flags": None}, {"runs": 3}, {}, {"code": "y", "nested": {"a": [1, None]}})
        )
        return ToolCall(
            id=f"c{len(self.trace.nodes)}-{number}",
            name=self.chance.choice(("compile", "time")),
            arguments=json.dumps(arguments),
        )

    def branch(self) -> None:
        """Go back to an earlier message and on from there, as after a summary."""
        keep = self.chance.randint(1, len(self.messages))
        self.messages = [*self.messages[:keep], UserMessage(content="The story so far: loads are done.")]
        self.turn()

    def summary(self) -> None:
        """An attempt at a summary that the agent may or may not go on from."""
        before = self.messages
        self.messages = [*before, UserMessage(content="Sum up.")]
        node = self.commit(AssistantMessage(content="Loads are done."))
        self.trace.nodes[node].semantic_parents.append(ParentLink(node=node - 1, type="compaction_attempt"))
        if self.chance.random() < 0.5:
            self.messages = [UserMessage(content="Loads are done. Go on.")]
            follower = self.commit(AssistantMessage(content="Then the stores."))
            self.trace.nodes[follower].semantic_parents.append(ParentLink(node=node, type="compaction"))
        self.messages = before


def trace_of(chance: random.Random, number: int, agent: str, task: TraceTask) -> Trace:
    """One agent's trace: a few turns, perhaps branches, tools, a failure."""
    trace = Trace[WireTaskData, State, WireAgentConfig](
        id=f"trace-{number}-{agent}",
        verifiers=VersionInfo(version="0.4.0"),
        task=task,
        agent=AgentInfo(config=WireAgentConfig(model="tiny"), name=agent, trainable=agent != "judge"),
        timing=Timing(start=100.0, agent=AgentSpan(start=101.0, end=103.5), scoring=TimeSpan(start=103.5, end=104.0)),
    )
    script = Script(chance, trace)
    script.begin(task.data.name)
    kind = chance.choice(("plain", "plain", "branches", "summary", "failed", "unscored", "silent"))
    for _ in range(0 if kind == "silent" else chance.randint(1, 4)):
        script.turn()
    for _ in range(chance.randint(1, 3) if kind == "branches" else 0):
        script.branch()
    if kind == "summary":
        script.summary()
    trace.tools = script.tools
    trace.ok = kind not in ("failed", "silent")
    if not trace.ok:
        trace.errors = [
            Error(type="ProviderError", message="429, later"),
            Error(type="ToolError", message=f"died in {kind}"),
        ]
    if kind not in ("unscored", "silent"):
        trace.record_reward("verified", chance.choice((0.0, 1.0, 1.25)))
        trace.record_reward("style", chance.random(), weight=0.1)
        trace.record_metric("speedup_reward", chance.random())
    trace.stop("error" if not trace.ok else chance.choice(("agent_completed", "max_turns")))
    trace.info["note"] = {"deep": [1, None, "x"]}
    return trace


def episode_of(number: int) -> Episode:
    """One episode: one agent, or a solver with a helper and a judge; some end before there is any trace."""
    chance = random.Random(number)
    name = f"Module{number % 7}"
    more = chance.choice(
        ({}, {"answer": "pass"}, {"answer": 3, "info": {"module_name": name, "python_code": "class M: ..."}})
    )
    data = WireTaskData(idx=number, name=name, prompt=f"Write {name}.", **more)
    task = TraceTask(type="KernelTask", data=data, key=name)
    agents = chance.choice((["agent"], ["agent"], ["solver", "helper", "judge"], []))
    traces = [trace_of(chance, number, agent, task) for agent in agents]
    return Episode(
        id=f"episode-{number}",
        env=EnvInfo(id="kernels"),
        task=task,
        group=GroupInfo(id=f"g{number // 4}"),
        ok=bool(traces) and all(trace.ok for trace in traces),
        errors=[] if traces else [Error(type="BootError", message="no runtime")],
        traces=traces,
    )


def branches_of(line: str) -> list[dict[str, Any]]:
    """The branches of an episode, as verifiers reads the line back."""
    return [
        {
            "trace_id": trace.id,
            "branch": branch.index,
            "messages": [message_to_wire(message) for message in branch.messages],
            "reward": trace.reward,
            "scored": bool(trace.rewards),
            "has_error": trace.has_error,
            "error": trace.last_error and f"{trace.last_error.type}: {trace.last_error.message}",
            "trainable": trace.agent.trainable and branch.trainable,
            "is_truncated": trace.is_truncated,
            "num_turns": trace.num_turns,
            "num_branches": trace.num_branches,
            "tools": [tool.model_dump(mode="json", exclude_none=True) for tool in branch.tools],
        }
        for trace in WireEpisode.model_validate_json(line).traces
        for branch in trace.branches
    ]


def prime_rl_rows(line: str) -> list[dict[str, Any]]:
    """The same branches under the columns of the datasets that prime-rl makes of traces, as far as they matter here."""
    return [
        {
            "episode_id": episode.id,
            "trace_id": trace.id,
            "task_type": trace.task.type,
            "task_data": trace.task.data.model_dump_json(exclude_none=True),
            "agent": trace.agent.name,
            "trainable": trace.agent.trainable,
            "tools": json.dumps([tool.model_dump(mode="json", exclude_none=True) for tool in trace.tools]),
            "reward": trace.reward,
            "metrics": json.dumps(trace.metrics),
            "has_error": trace.has_error,
            "error_type": trace.last_error and trace.last_error.type,
            "error_message": trace.last_error and trace.last_error.message,
            "is_truncated": trace.is_truncated,
            "num_branches": trace.num_branches,
            "num_turns": trace.num_turns,
            "branch_index": branch.index,
            "messages": [message_to_wire(message) for message in branch.messages],
        }
        for episode in [WireEpisode.model_validate_json(line)]
        for trace in episode.traces
        for branch in trace.branches
    ]


def main(count: int, folder: Path) -> None:
    """Write so many episodes, and what verifiers reads of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_episode(folder, episode_of(number))
    lines = (folder / "traces.jsonl").read_text(encoding="utf-8").splitlines()
    for name, rows in (("branches", branches_of), ("prime-rl", prime_rl_rows)):
        text = "".join(json.dumps(row) + "\n" for line in lines for row in rows(line))
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
