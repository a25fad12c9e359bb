"""The jobs that find out whether two modules compute the same: look at one, run one on inputs of its own, run the
other on these. Neither module sees what the other has computed; the caller compares. Another one writes operators down.
"""

from __future__ import annotations

from typing import Literal

from kbtools_plugins.verify.protocol.message import ProcessMessage, Tensor
from kbtools_plugins.verify.protocol.roles import Role
from kbtools_plugins.verify.protocol.wire import Tree


class ProbeJob(ProcessMessage):
    """Run a module once, on inputs of its own shapes and of small ones."""

    code: str
    entry: str
    most_elements: int


class Print(ProcessMessage):
    """What a module made of public inputs, in two numbers: equal computations have nearly the same."""

    on: str
    """Stands for the inputs."""
    size: float
    """Root mean square of the outputs."""
    projection: float
    """Their sum with random weights, by the root of their number."""


class ProbeReply(ProcessMessage):
    """What modules that compute the same have in common."""

    form: str
    """Types and ranks of inputs, outputs and parameters, and in which modes there is no chance in it."""
    operators: list[str]
    """In the order in which they reached the dispatcher."""
    prints: list[Print]


class LeadJob(ProcessMessage):
    """Run a module on inputs from these seeds, and on others made from them."""

    code: str
    entry: str
    seeds: list[int]
    most_elements: int


class OwnSet(ProcessMessage):
    """Inputs that a module took, and what it made of them."""

    kind: Literal["seed", "values", "extreme", "shape"]
    """extreme: values at which one way to compute it overflows and another does not; shape: another than its own."""
    mode: str
    inputs: Tree
    plain: Tree
    exact: Tree
    """Outputs of a float64 run."""


class LeadReply(ProcessMessage):
    """All that another module is held to."""

    init: Tree
    names: list[str]
    parameters: list[Tensor]
    """Trainable parameters in the order in which the forward first uses them, moved off their initial values."""
    sets: list[OwnSet]


class FollowJob(ProcessMessage):
    """Run a module on another one's inputs, with its parameters."""

    code: str
    entry: str
    init: list[Tree]
    """Arguments of the constructor; empty for the module's own."""
    names: list[str]
    parameters: list[Tensor]
    first: int
    count: int
    """Which of the ways to hand the parameters over are tried: so many from the first on."""
    modes: list[str]
    inputs: list[Tree]


class Followed(ProcessMessage):
    """Outputs for one set of inputs, or that the module does not take it."""

    failed: bool
    outputs: Tree = None


class FollowReply(ProcessMessage):
    """Results for each way that was tried, and each set."""

    ways: list[list[Followed]]


class OperatorsJob(ProcessMessage):
    """Run a module on tensors without data, and write down the operators."""

    code: str
    entry: str


class OperatorsReply(ProcessMessage):
    """What a forward in eval mode did, in order; what only moves or makes data is left out."""

    names: list[str]
    described: list[str]
    """The same with attributes, and with ranks in place of tensors."""


PROBE = Role("probe", ProbeJob, ProbeReply)
LEAD = Role("lead", LeadJob, LeadReply)
FOLLOW = Role("follow", FollowJob, FollowReply)
OPERATORS = Role("operators", OperatorsJob, OperatorsReply)
