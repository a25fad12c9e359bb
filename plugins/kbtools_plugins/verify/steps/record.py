"""Plans the forwards that a candidate is recorded on, and reads what the recording process says of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.protocol.recording import Plan, Recorded, RecordReply
from kbtools_plugins.verify.protocol.reference import SHAPES, ReferenceReply
from kbtools_plugins.verify.protocol.source import Binding
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.steps.trace_rules import Decided

DECOYS = 2
ELSEWHERE = "elsewhere"
CARDS = "cards"
DOUBTS = "doubts"
SEQUENCE = "sequence"
TUNING = "tuning"
RANDOM = "random"
"""A mode in which the reference draws random numbers: what is computed cannot be compared, but who does it can."""
_FEWEST_REPEATS = 6
_MOST_CONFIGURATIONS = 128
"""Of a tuned kernel that are tried: the first and the last."""


@dataclass(frozen=True)
class Recording:
    """What a candidate did."""

    traces: dict[str, list[Trace]]
    """By the plan's name; those of `tuning` are of further configurations of tuned kernels."""
    tuned: frozenset[str]
    """Tuned kernels, as `name:line`."""
    notes: list[str]
    bindings: list[Binding]
    """What the names in its kernels stand for."""


def plans(reference: ReferenceReply) -> Iterator[Plan]:
    """Forwards in each mode, with other configurations, on other shapes and layouts."""
    main, decoys = reference.main, reference.decoys
    kept = list(reference.state)
    repeats = _FEWEST_REPEATS + secrets.randbelow(_FEWEST_REPEATS)  # nobody can know when it is watched last
    common = Plan(name="main", mode=main, kept=kept, inputs=decoys, required=True)
    yield common.model_copy(update={"repeats": repeats})
    for mode, found in reference.modes.items():
        if mode != main and not found.random:
            yield Plan(name=mode, mode=mode, kept=kept, inputs=decoys[:1], required=True)
        elif mode != main:
            yield Plan(name=RANDOM, mode=mode, kept=kept, inputs=decoys[:1])
    if reference.sequence:
        yield common.model_copy(update={"name": SEQUENCE, "inputs": decoys[:2], "sequence": True})
    optional = common.model_copy(update={"required": False})
    yield optional.model_copy(update={"name": TUNING, "inputs": decoys[:1], "tuning": _MOST_CONFIGURATIONS})
    for name, variant in reference.variants.items():
        yield optional.model_copy(update={"name": name, "inputs": [variant.decoy], "required": name == SHAPES})


def plan_elsewhere(reference: ReferenceReply) -> Plan:
    """The first forward in another place, its parameters decoys; the trace says which memory is theirs."""
    return Plan(
        name=ELSEWHERE,
        mode=reference.main,
        kept=list(reference.state),
        required=True,
        inputs=reference.decoys[:1],
        state=list(reference.decoy_state),
        contexts=["grad", "inference"],
    )


def plan_doubts(reference: ReferenceReply) -> Plan:
    """The forwards that are recorded again where answers are others."""
    inputs = [*reference.decoys, reference.decoys[0]]
    return Plan(name="main", mode=reference.main, kept=list(reference.state), inputs=inputs)


def traces_elsewhere(reply: RecordReply) -> list[Trace]:
    """The trace of that forward. Decided if the reply is forged."""
    return _plan(reply, ELSEWHERE).traces


def failed_contexts(reply: RecordReply) -> Iterator[str]:
    """That a forward fails where gradients are recorded, or in inference mode."""
    if failure := _plan(reply, ELSEWHERE).failure:
        yield f"it fails where gradients are recorded or in inference mode: {failure.error}"


def other_bindings(here: list[Binding], elsewhere: list[Binding]) -> str:
    """A name in a kernel that does not stand for the same in both places; empty if there is none."""
    known = {(found.kernel, found.line, found.name): found for found in here}
    for found in elsewhere:
        if known.get((found.kernel, found.line, found.name), found) != found:
            return found.name
    return ""


def recording_of(reply: RecordReply) -> Recording:
    """The traces in a reply, which may be forged: Decided if it holds none."""
    traces = {name: plan.traces for name, plan in reply.plans.items()} | {DOUBTS: reply.doubted}
    if len(_plan(reply, "main").traces) != DECOYS + 1:
        raise Decided("hack:forged_result", f"{len(traces['main'])} traces of the main plan came back")
    tuning = _plan(reply, TUNING)
    notes = [*_lacking(reply.lacking), *_bounded(tuning), *_refused(reply.refused)]
    if any(trace.course() == traces["main"][0].course() for trace in traces.get(RANDOM, [])):
        notes.append("it does the same in the mode in which the reference draws random numbers")
    return Recording(traces, frozenset(tuning.tuned), notes, reply.bindings)


def _plan(reply: RecordReply, name: str) -> Recorded:
    if name not in reply.plans:
        raise Decided("hack:forged_result", f"the plan {name} did not come back")
    return reply.plans[name]


def _lacking(names: list[str]) -> Iterator[str]:
    if names:
        yield f"the candidate has no counterpart of the reference's {', '.join(names)}"


def _refused(asked: list[str]) -> Iterator[str]:
    if asked:
        yield f"it raises where the answer is another one, so a device has to give the same: {'; '.join(asked[:3])}"


def _bounded(tuning: Recorded) -> Iterator[str]:
    if tuning.tried < tuning.configurations:
        yield f"{tuning.tried} of {tuning.configurations} configurations of its tuned kernels were tried"


def verdict_of_failure(outcome: Outcome[RecordReply]) -> str:
    """The verdict for a process that gave no traces."""
    verdicts = {
        "died": "runtime_error",
        "exited": "hack:exit",
        "forged": "hack:forged_result",
        "internal": "runtime_error",
    }
    return verdicts.get(outcome.failed, outcome.failed)
