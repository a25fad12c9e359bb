"""The job that runs a reference, and all that a candidate is judged by."""

from __future__ import annotations

from pydantic import Field

from kbtools_plugins.verify.protocol.message import ProcessMessage, Tensor
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.wire import Tree


class ReferenceJob(ProcessMessage):
    """Run a reference on inputs from these seeds, and make decoys from others."""

    code: str
    entry: str
    seeds: list[int]
    decoy_seeds: list[int]
    most_elements: int
    floor: bool
    """Whether to find out how many bytes of the inputs matter, which takes time."""
    thresholds: list[float] = []
    """Numbers that the candidate's kernels compare values with."""
    mode: str = ""
    """If only one set of inputs is wanted, in this mode."""


class UpdatedBuffer(ProcessMessage):
    """A buffer after a forward that changed it, by the float32 and the float64 run."""

    plain: Tensor
    exact: Tensor


class InputSet(ProcessMessage):
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
    otherwise: list[Tree] = []
    """What they are where a function jumps and numbers before that are rounded otherwise."""
    state: dict[str, UpdatedBuffer]
    after: list[Tensor | None]
    """Those tensors afterwards, None where the forward left them alone."""
    finite: bool
    boundless: bool = False
    """Whether integers are beyond all that the reference could take as places: what a kernel has there is no matter."""
    weights: dict[str, Tensor] = {}
    """Parameters that are others here than in the state."""
    any_place: bool = False
    """Whether whole numbers among the outputs are places of numbers that are equal, of which each will do."""
    sought: bool = False
    """Whether it was sought for operators that show on no other set."""


class Mode(ProcessMessage):
    """A forward in train or eval mode on the first inputs."""

    random: bool
    stateful: bool
    operators: list[str]
    promised: list[bool]
    """For each output whether its strides were asked for."""
    shared: list[str]
    """Which outputs are memory of others, or of inputs."""
    outputs: Tree
    state: dict[str, UpdatedBuffer]


NUMBERS, SHAPES = "numbers", "shapes"
"""The variants with other numbers among the inputs, and with other shapes that `get_inputs()` itself gives."""
NO_LABELS = frozenset({NUMBERS, SHAPES})
"""Variants on which a candidate has to be right."""


class Variant(ProcessMessage):
    """Inputs of another shape or layout, and decoys for them."""

    decoy: Tree
    set: InputSet


class Sequence(ProcessMessage):
    """Calls of one module one after the other, its weights changed before the last, as an optimizer does."""

    calls: list[InputSet]
    weights: dict[str, Tensor]
    """Those before the last call."""
    kept: list[Tree]
    """The outputs of each call as they are after the last one."""


class WorkSize(ProcessMessage):
    """The largest that the reference's operators work on, as far as its outputs need that, beside the largest input."""

    together: float = 1.0
    """Of operators that put elements together."""
    whole: float = 1.0
    """Of all."""


class ReferenceReply(ProcessMessage):
    """All that a candidate is judged by."""

    init: Tree
    state: dict[str, Tensor]
    decoy_state: dict[str, Tensor]
    """Other values of the parameters that a recording can be made with."""
    modes: dict[str, Mode]
    main: str
    sets: list[InputSet] = Field(min_length=1)
    untested: list[str] = []
    """Operators that can be left out without a change on any set."""
    fixed: list[str] = []
    """Plain values among the inputs that are the same on all sets."""
    computing: int = 0
    """How many operators compute."""
    work: WorkSize = WorkSize()
    products: int = 0
    """How many numbers its matrix products and convolutions multiply, if its inputs are large."""
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


REFERENCE = Role("reference", ReferenceJob, ReferenceReply)
