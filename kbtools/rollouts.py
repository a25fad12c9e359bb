"""What a rollout is, and the table of layouts in which programs write them, to which plugins add.

A layout turns one row of a file into rollouts: a trace with several branches, or an episode with several agents, is
several. The stage `convert-rollouts` writes them as rows; reading files is the part of `kbtools.data`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from kbtools.data.columns import Schema, evals_features
from kbtools.errors import RowError, SchemaError

if TYPE_CHECKING:
    from datasets import Features

Row = Mapping[str, Any]


class Unconvertible(RowError):
    """A row that is not a rollout, or whose meaning would be lost; the message begins with its kind."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")


@dataclass(frozen=True)
class Function:
    """What a tool call asks for; `arguments` is text as the model wrote it, JSON as a rule."""

    name: str
    arguments: str
    namespace: str | None = None


@dataclass(frozen=True)
class ToolCall:
    """One call that a model asks for, in the form of the OpenAI API; a custom tool's input is its arguments."""

    function: Function
    id: str | None = None
    type: str = "function"


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str | None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    hidden: bool = False
    """Whether there was reasoning that only its maker can read; it is counted, not written."""


@dataclass(frozen=True)
class Info:
    """What the task was about; null where the task says nothing of a module."""

    module_name: str | None = None
    python_code: str | None = None
    triton_code: str | None = None


@dataclass(frozen=True)
class Rollout:
    """One conversation of one agent and what came of it; the fields are the columns of the result, in their order."""

    example_id: int | None
    prompt: Sequence[Message]
    completion: Sequence[Message]
    """From the first turn on that the model wrote; empty where it wrote none."""
    task: str | None = None
    reward: float | None = None
    generation_ms: float | None = None
    scoring_ms: float | None = None
    total_ms: float | None = None
    info: Info = field(default_factory=Info)
    answer: str | None = ""
    speedup_reward: float | None = None
    num_turns: float | None = None
    oai_tools: str | None = None
    """The tools as JSON text in the form of the OpenAI API."""
    trace_id: str | None = None
    parent_id: str | None = None
    """The trace whose agent started this one's."""
    episode_id: str | None = None
    group_id: str | None = None
    branch: int = 0
    branches: int = 1
    agent: str | None = None
    trainable: bool | None = None
    """Whether the program that wrote the trace wants it to be learned from."""
    model: str | None = None
    stop_condition: str | None = None
    is_truncated: bool | None = None
    error: str | None = None
    """Why it failed; null for a rollout that did not."""
    new_turns: Sequence[bool] | None = None
    """For each message of the completion, whether the model wrote it here: not in an earlier branch, not as context."""
    rewards: str | None = None
    metrics: str | None = None
    task_data: str | None = None
    trace_info: str | None = None

    @property
    def silent(self) -> bool:
        """Whether it ended before anybody said anything."""
        return not self.prompt and not self.completion

    @property
    def hidden(self) -> bool:
        """Whether a turn of the completion has reasoning that only its maker can read."""
        return any(message.hidden for message in self.completion)

    def row(self) -> dict[str, Any]:
        """The values of the columns."""
        return asdict(self)


def trace_features() -> Features:
    """The columns of `Rollout`: those of the evals layout, with tools in the messages, and what traces say beyond."""
    import datasets

    text, truth, whole = (datasets.Value(name) for name in ("string", "bool", "int64"))
    call = {"id": text, "type": text, "function": dict.fromkeys(("name", "arguments", "namespace"), text)}
    turn = {
        **dict.fromkeys(("role", "content", "reasoning"), text),
        "tool_calls": datasets.List(call),
        **dict.fromkeys(("tool_call_id", "name"), text),
    }
    kinds: dict[str, object] = {
        **dict.fromkeys(("branch", "branches"), whole),
        **dict.fromkeys(("trainable", "is_truncated"), truth),
        "new_turns": datasets.List(truth),
    }
    own = [name for name in Rollout.__dataclass_fields__ if name not in evals_features()]
    messages = dict.fromkeys(("prompt", "completion"), datasets.List(turn))
    return datasets.Features({**evals_features(), **messages, **{name: kinds.get(name, text) for name in own}})


@dataclass(frozen=True)
class RolloutLayout:
    """One arrangement of keys, and how a row that has them becomes rollouts."""

    name: str
    signatures: tuple[frozenset[str], ...]
    """Sets of keys of which a row has all of one; where layouts ask for more than others, those that ask for most."""
    read: Callable[[Row, str], Sequence[Rollout]]
    """Rollouts of a row, given the key of the reasoning in its messages if the user named one; or `Unconvertible`."""
    features: Callable[[], Features] = trace_features
    """Columns of the result; a layout that fills only those of evals says `evals_features`."""

    def fit(self, keys: frozenset[str]) -> frozenset[str]:
        """The keys of all its signatures that these keys contain; none where the layout does not fit."""
        return frozenset().union(*(signature for signature in self.signatures if signature <= keys))

    def describe(self) -> str:
        """The name, and the keys that give it away."""
        return f"{self.name} ({' or '.join(', '.join(sorted(signature)) for signature in self.signatures)})"


def layouts() -> tuple[RolloutLayout, ...]:
    """Every layout that is installed."""
    from kbtools.plugins import registry

    return registry().layouts()


def layout_of(features: Features) -> RolloutLayout:
    """The layout of rows with these columns; SchemaError where it is none, or could be several."""
    fits = {layout: found for layout in layouts() if (found := layout.fit(frozenset(features)))}
    most = [layout for layout, found in fits.items() if not any(found < other for other in fits.values())]
    if not most:
        columns = Schema(features).describe()
        raise SchemaError(f"these are not rollouts: the columns are {columns}. Known layouts: {known_layouts()}.")
    if len(most) > 1:
        names = " and ".join(layout.describe() for layout in most)
        raise SchemaError(f"the rows are of several layouts, {names}: convert each in a file of its own.")
    return most[0]


def known_layouts() -> str:
    """The layouts, for errors."""
    return ", ".join(layout.describe() for layout in layouts())
