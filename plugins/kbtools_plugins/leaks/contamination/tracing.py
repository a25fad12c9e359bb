"""Operator sequences of modules that are run on tensors without data, inside verify's sandbox.

A module that cannot be run so (it reads values, or needs what is not there) has none and is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kbtools_plugins.leaks.computation.sandboxes import Sandbox, Sandboxes
from kbtools_plugins.leaks.contamination.operators import NOTHING, Signature
from kbtools_plugins.verify.candidate import text as texts
from kbtools_plugins.verify.protocol.computation import OPERATORS, OperatorsJob


@dataclass(frozen=True)
class Ran:
    """Which codes do what a problem does, by running them, and what could not be run."""

    found: Mapping[bytes, int]
    """The first such problem, by the code's digest."""
    silent_problems: int = 0
    silent_codes: int = 0


def compare(problems: Sequence[str], codes: Mapping[bytes, str], workers: int) -> Ran:
    """Hold the traces of codes against those of problems."""
    signatures = traced([*problems, *codes.values()], workers)
    of_problems, of_codes = signatures[: len(problems)], signatures[len(problems) :]
    by_operators: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, signature in enumerate(of_problems):
        if signature is not None:
            by_operators[signature.operators].append(number)
    found = {
        digest: number
        for digest, signature in zip(codes, of_codes, strict=True)
        if signature is not None
        for number in reversed(by_operators[signature.operators])
        if signature.same_task(of_problems[number] or NOTHING)
    }
    return Ran(found, of_problems.count(None), of_codes.count(None))


def traced(codes: Sequence[str], workers: int) -> list[Signature | None]:
    """The signature of each code, None for one that cannot be run."""
    if not codes:
        return []
    with Sandboxes.opened(min(workers, len(codes))) as sandboxes:
        return sandboxes.each(_trace, codes)


def _trace(code: str, sandbox: Sandbox) -> Signature | None:
    try:
        extracted = texts.extract(code)
        job = OperatorsJob(code=extracted, entry=texts.reference_entry(texts.parse(extracted), None))
    except texts.NoCode:
        return None
    reply = sandbox.ask(OPERATORS, job).reply
    return Signature(tuple(reply.names), tuple(reply.described), ()) if reply and reply.names else None
