"""Has texts read in a process of their own, and says what becomes of a pair that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.reading import (
    KERNELS,
    READ,
    Finding,
    KernelsJob,
    KernelSource,
    ReadJob,
    ReadReply,
)
from kbtools_plugins.verify.protocol.roles import R
from kbtools_plugins.verify.protocol.source import Binding
from kbtools_plugins.verify.steps.trace_rules import Decided

_SECONDS = 20.0
"""Processor time for reading two texts; honest ones take a hundredth of a second."""


def texts(processes: PairProcesses, reference: str, candidate: str, entry_point: str | None) -> ReadReply:
    """The code in both texts; Decided if one has none or cannot be read."""
    job = ReadJob(reference=reference, candidate=candidate, entry_point=entry_point)
    outcome = processes.run(READ, job, _SECONDS)
    if outcome.failed:
        alone = processes.run(READ, job.model_copy(update={"candidate": None}), _SECONDS)
        if alone.failed:
            raise Decided("reference_error", f"the reference is {_what_failed(alone)}")
        raise _unreadable(outcome)
    found = outcome.known()
    if found.reference_error:
        raise Decided("reference_error", found.reference_error)
    if found.candidate_error:
        raise Decided("compile_error", found.candidate_error)
    return found


def kernels(processes: PairProcesses, code: str, bindings: list[Binding]) -> KernelSource:
    """The clean module of a candidate's kernels."""
    outcome = processes.run(KERNELS, KernelsJob(code=code, bindings=bindings), _SECONDS)
    if outcome.failed:
        raise _unreadable(outcome)
    return outcome.known()


def executed(findings: Iterable[Finding], ran: list[int] | None) -> Finding | None:
    """The first trick whose lines have run; the first of all where nobody knows what ran."""
    for found in findings:
        if ran is None or found.in_kernel or not set(ran).isdisjoint(_lines(found)):
            return found
    return None


def _lines(found: Finding) -> range:
    return range(found.first, found.last + 1)


def remarks(findings: Iterable[Finding], ran: list[int]) -> Iterator[str]:
    """What the text shows and no run has, and what it only looks at."""
    for found in findings:
        happened = "only looks" if found.looks and executed([found], ran) else "never ran"
        yield f"{happened}: {found.verdict}, {found.text}"


def _unreadable(outcome: Outcome[R]) -> Decided:
    known = ("too_deep", "died", "out_of_memory", "timeout")
    if outcome.failed in known:
        return Decided("compile_error", f"the candidate is {_what_failed(outcome)}")
    return Decided("unsupported:internal", f"reading it failed: {outcome.failed}: {outcome.error[-1500:]}")


def _what_failed(outcome: Outcome[R]) -> str:
    return f"too deep or too long to be read: {outcome.failed}"
