"""The jobs that read texts: find the code and what is odd about it, take its kernels out, follow numbers through them.

Nothing of a text is run here. What is too deep or too long to be read ends this process, and nobody else's.
"""

from __future__ import annotations

import sys

from kbtools_plugins.verify.candidate import kernels, static_rules, text
from kbtools_plugins.verify.candidate.relations.launches import relations
from kbtools_plugins.verify.candidate.relations.walk import TooMuch
from kbtools_plugins.verify.candidate.thresholds import thresholds
from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.reading import KernelsJob, ReadJob, ReadReply, RelationsJob
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk

_RECURSION = 4_000
"""Levels that algorithms over a syntax tree may go down: parsing allows less."""


def warm_up() -> None:
    """Read one text, so that forks find all patterns compiled."""
    static_rules.findings(text.parse("print(0)"))
    kernels.extract(text.parse("import triton"), [])


def run(job: ReadJob | KernelsJob | RelationsJob, talk: Talk) -> ProcessMessage:
    """The reply, or a failure `too_deep`."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(_RECURSION)
    try:
        if isinstance(job, ReadJob):
            return _read(job)
        if isinstance(job, RelationsJob):
            return relations(job)
        return kernels.extract(text.parse(job.code), job.bindings)
    except (RecursionError, TooMuch):
        return RoleFailure(failed="too_deep", error="a text nested too deep")
    except ValueError as error:  # a whole number of so many digits that Python does not write it
        return RoleFailure(failed="too_deep", error=str(error))
    finally:
        sys.setrecursionlimit(usual)  # what is compiled in this process next has no other than a user's


def _read(job: ReadJob) -> ReadReply:
    try:
        reference = text.extract(job.reference)
        reference_name = text.reference_entry(text.parse(reference), job.entry_point)
    except text.NoCode as error:
        return ReadReply(reference_error=f"the reference: {error}")
    known = ReadReply(reference=reference, reference_name=reference_name)
    if job.candidate is None:
        return known
    try:
        code = text.extract(job.candidate)
        tree = text.parse(code)
        name = text.candidate_entry(tree, reference_name)
    except text.NoCode as error:
        return known.model_copy(update={"candidate_error": f"the candidate: {error}"})
    found = {"findings": static_rules.findings(tree), "thresholds": thresholds(tree)}
    return known.model_copy(update={"candidate": code, "name": name, **found})
