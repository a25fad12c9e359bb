"""The jobs that the processes of a check are given, and their replies: one pair of messages for each role.

`Tree` is a nested Python value as worker/tensors.py writes it down (arguments, outputs): its form is the candidate's or
the reference's own. All else has a type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field

from kbtools_plugins.verify.protocol.message import Message, Tensor
from kbtools_plugins.verify.protocol.source import Binding
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.protocol.wire import Tree


class Assignment(Message):
    """A job as it is sent: with what the process that does it may use."""

    timeout: float
    memory_gb: float
    job: Tree


class Failure(Message):
    """Instead of a reply: which kind of failure, and what was found."""

    failed: str = Field(min_length=1)
    error: str = ""
    ran: list[int] | None = None
    """Lines of the candidate that had run, where that was asked."""


class Waiting(Message):
    """Before the reply of a job that needs the device: it has done what it can without."""

    waiting: str


class Go(Message):
    """The device is the job's."""

    go: bool = True


# reference


class ReferenceJob(Message):
    """Run a reference on inputs from these seeds, and make decoys from others."""

    code: str
    entry: str
    seeds: list[int]
    decoy_seeds: list[int]
    most_elements: int
    floor: bool
    """Whether to find out how many bytes of the inputs matter, which takes time."""


class UpdatedBuffer(Message):
    """A buffer after a forward that changed it, by the float32 and the float64 run."""

    plain: Tensor
    exact: Tensor


class InputSet(Message):
    """Inputs, and what the reference makes of them."""

    name: str
    inputs: Tree
    tensors: list[Tensor]
    """The tensors among the inputs, in order."""
    plain: Tree
    exact: Tree
    """Outputs of a float64 run."""
    tf32: Tree = None
    """Outputs if matrix products are those of tensor cores; None where there are none."""
    state: dict[str, UpdatedBuffer]
    after: list[Tensor | None]
    """Those tensors afterwards, None where the forward left them alone."""
    finite: bool


class Mode(Message):
    """A forward in train or eval mode on the first inputs."""

    random: bool
    stateful: bool
    operators: list[str]
    promised: list[bool]
    """For each output whether its strides were asked for."""
    outputs: Tree
    state: dict[str, UpdatedBuffer]


class Variant(Message):
    """Inputs of another shape or layout, and decoys for them."""

    decoy: Tree
    set: InputSet


class Sequence(Message):
    """Calls of one module one after the other, its weights changed before the last, as an optimizer does."""

    calls: list[InputSet]
    weights: dict[str, Tensor]
    """Those before the last call."""
    kept: list[Tree]
    """The outputs of each call as they are after the last one."""


class ReferenceReply(Message):
    """All that a candidate is judged by."""

    init: Tree
    state: dict[str, Tensor]
    decoy_state: dict[str, Tensor]
    """Other values of the parameters that a recording can be made with."""
    modes: dict[str, Mode]
    main: str
    sets: list[InputSet] = Field(min_length=1)
    fewer_sets: bool
    """Whether sets were left out because the inputs are large."""
    sequence: Sequence | None
    """None if the reference cannot be called so."""
    counters: list[str]
    """Buffers that a forward updates and that nothing depends on: a candidate may update them or not."""
    needed_bytes: float
    control: Tree
    """The outputs of a second instance on the first inputs."""
    decoys: list[Tree]
    variants: dict[str, Variant]


# record


class Plan(Message):
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


class RecordJob(Message):
    """Run a candidate's Python on decoys and write down what it does."""

    code: str
    entry: str
    init: Tree
    state: dict[str, Tensor]
    weights: dict[str, Tensor]
    """Those before the last call of a sequence."""
    allow: list[str]
    card: int
    """Which of two cards the device claims to be."""
    plans: list[Plan]
    watch: bool
    """Whether to note the lines that run."""


class Recorded(Message):
    """What one plan has given."""

    traces: list[Trace] = []
    configurations: int = 0
    tried: int = 0
    tuned: list[str] = []
    """Tuned kernels, as `name:line`."""
    failure: Failure | None = None


class RecordReply(Message):
    """What all plans have given."""

    plans: dict[str, Recorded]
    lacking: list[str]
    """Parameters and buffers of the reference that the candidate has no counterpart of."""
    bindings: list[Binding] = []
    """What the names in its kernels stand for."""
    ran: list[int] = []
    """Lines of its text that have run."""


# compile


PTX_TARGET = 80
"""What kernels are compiled for that the PTX machine runs, but for those with fp8 that came later."""


def architecture_name(target: int | str) -> str:
    """`sm_80` for 80, `gfx942` for itself."""
    return f"sm_{target}" if isinstance(target, int) else target


class Launch(Message):
    """A launch as a compiler looks at it."""

    kernel: str
    clean_name: str
    bound: dict[str, Tree]
    options: dict[str, Tree]
    targets: list[int | str]
    tuned: bool


class CompileJob(Message):
    """Compile these launches for their targets."""

    source: str
    launches: list[Launch]
    spare: list[int | str] = []
    """Further targets for configurations of tuned kernels that do not fit theirs."""


class Usage(Message):
    """What one launch needs on one target."""

    kernel: str
    target: int | str
    registers: int | None = None
    shared_bytes: int | None = None
    spill_bytes: int | None = None


class CompileReply(Message):
    """What was compiled, up to the first error."""

    resources: list[Usage]
    passed_over: list[str] = []
    """Configurations of tuned kernels that do not fit, while another does."""
    features: list[str] = []
    """What the launches use that not every machine can run, as their code says."""
    never: list[int] = []
    """Numbers of those launches among the job's that fit no target: a tuner never picks them."""
    error: str = ""


# replay, on a CPU or a GPU


class ReplayRun(Message):
    """One execution of a trace."""

    trace: int
    """Its number among the job's traces."""
    inputs: list[Tensor]
    order: str
    """forward, reverse or skip: how the programs of each launch follow each other, if they run at all."""
    shift: int
    """The program that comes first; a secret, which also decides what fresh memory holds where."""
    fused: bool = False
    """Whether multiplications and additions may be made one where kernels are compiled for this run."""
    turn: int
    """Counts the runs: in each, fresh memory holds something else."""
    optional: bool


class ReplayCall(Message):
    """One call of a sequence: its trace, its inputs, and the weights that change before it."""

    trace: int
    inputs: list[Tensor]
    weights: dict[str, Tensor]


class Timing(Message):
    """What a trace is timed against."""

    reference: str
    entry: str
    init: Tree
    arguments: Tree
    state: dict[str, Tensor]
    mode: str
    needed_bytes: float


class ReplayJob(Message):
    """Run traces on the inputs that count; with `timing`, time the first one."""

    source: str
    lines: list[int] = []
    """The candidate's line for each line of the source."""
    names: dict[str, str]
    """Names in the clean module, by `name:line`."""
    allow: list[str]
    state: dict[str, Tensor]
    traces: list[Trace]
    runs: list[ReplayRun]
    sequence: list[ReplayCall] = []
    timing: Timing | None = None


class RunResult(Message):
    """What one execution has left behind, or how it failed."""

    failed: str = ""
    error: str = ""
    outputs: Tree = None
    changed: dict[str, Tensor] = {}
    """Parameters and buffers that are not what they were, by the reference's names."""
    inputs: list[Tensor] = []
    ran: list[str] = []
    """Versions and targets of the PTX that was executed."""


class ReplayReply(Message):
    """Results of the runs in order, up to the first that failed and may not."""

    results: list[RunResult]
    sequence: list[RunResult] = []
    kept: list[Tree] = []
    """The outputs of each call of the sequence after the last one."""


class TimingReply(Message):
    """Intervals (median, low, high) in milliseconds, and what the kernels computed last."""

    times: dict[str, list[float]]
    floor_ms: float
    not_compiled: str
    last: RunResult


J = TypeVar("J", bound=Message)
R = TypeVar("R", bound=Message)


# operators


class OperatorsJob(Message):
    """Run a module on tensors without data, and write down the operators."""

    code: str
    entry: str


class OperatorsReply(Message):
    """What a forward in eval mode did, in order; what only moves or makes data is left out."""

    names: list[str]
    described: list[str]
    """The same with attributes, and with ranks in place of tensors."""


@dataclass(frozen=True)
class Role(Generic[J, R]):
    """What a process does: its name, and what it is given and gives."""

    name: str
    job: type[J]
    reply: type[R]


REFERENCE = Role("reference", ReferenceJob, ReferenceReply)
RECORD = Role("record", RecordJob, RecordReply)
COMPILE = Role("compile", CompileJob, CompileReply)
REPLAY = Role("replay", ReplayJob, ReplayReply)
GPU = Role("gpu", ReplayJob, ReplayReply)
PTX = Role("ptx", ReplayJob, ReplayReply)
OPERATORS = Role("operators", OperatorsJob, OperatorsReply)
TIMING = Role("gpu", ReplayJob, TimingReply)
