"""The job that writes down the operators of a module."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.roles import Role


class OperatorsJob(ProcessMessage):
    """Run a module on tensors without data, and write down the operators."""

    code: str
    entry: str


class OperatorsReply(ProcessMessage):
    """What a forward in eval mode did, in order; what only moves or makes data is left out."""

    names: list[str]
    described: list[str]
    """The same with attributes, and with ranks in place of tensors."""


OPERATORS = Role("operators", OperatorsJob, OperatorsReply)
