"""The job that runs a candidate's Python on decoys, and the traces that it gives."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.message import ProcessMessage, Tensor
from kbtools_plugins.verify.protocol.roles import Role, RoleFailure
from kbtools_plugins.verify.protocol.source import Binding
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.protocol.wire import Tree


class Plan(ProcessMessage):
    """Forwards to record: in which mode, on which inputs."""

    name: str
    mode: str
    inputs: list[Tree]
    kept: list[str]
    """Parameters and buffers whose values afterwards count, by the reference's names."""
    sequence: bool = False
    """Whether the calls follow each other in one memory; then there is a further one with other weights."""
    required: bool = False
    """Whether a failure is one of the candidate, or only of this plan."""
    repeats: int = 0
    """Further calls on the inputs in turn."""
    tuning: int = 0
    """How many configurations of tuned kernels to go through; 0 for the first alone."""
    state: list[str] = []
    """Parameters that a replay sets, by the reference's names."""
    contexts: list[str] = []
    """Where else to call it so: `grad`, where gradients are recorded, and `inference`, in inference mode."""


class RecordJob(ProcessMessage):
    """Run a candidate's Python on decoys and write down what it does."""

    code: str
    entry: str
    init: Tree
    state: dict[str, Tensor]
    weights: dict[str, Tensor]
    """Those before the last call of a sequence."""
    allow: list[str]
    card: int
    """Which card the device claims to be; the second one is in another place (worker/record/surroundings.py)."""
    plans: list[Plan]
    doubts: Plan | None = None
    """What is recorded again for each answer that could be another one (worker/record/answers)."""
    watch: bool
    """Whether to note the lines that run."""
    target: int | None = None
    """What its kernels are parsed for, as a compute capability times ten; None where that is not wanted."""
    far: bool = False
    """Whether large tensors have no memory: they may be larger than any machine's."""


class Recorded(ProcessMessage):
    """What one plan has given."""

    traces: list[Trace] = []
    configurations: int = 0
    tried: int = 0
    tuned: list[str] = []
    """Tuned kernels, as `name:line`."""
    failure: RoleFailure | None = None


class RecordReply(ProcessMessage):
    """What all plans have given."""

    plans: dict[str, Recorded]
    doubted: list[Trace] = []
    """What it does where an answer is another one, as far as that differs."""
    refused: list[str] = []
    """Answers without which it always raises."""
    lacking: list[str]
    """Parameters and buffers of the reference that the candidate has no counterpart of."""
    bindings: list[Binding] = []
    """What the names in its kernels stand for."""
    ran: list[int] = []
    """Lines of its text that have run."""
    asked_for_card: bool = False
    """Whether it has asked which card there is."""


RECORD = Role("record", RecordJob, RecordReply)
