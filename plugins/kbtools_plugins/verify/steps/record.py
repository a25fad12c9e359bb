"""Plans the forwards that a candidate is recorded on, and reads what the recording process says of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from kbtools_plugins.verify.host.processes import Outcome
from kbtools_plugins.verify.protocol import trace
from kbtools_plugins.verify.protocol.trace import BadTrace, Trace
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.steps.trace_rules import Decided

DECOYS = 2
OTHER_PARAMETERS = "other parameters"
_FEWEST_REPEATS = 6
_MOST_CONFIGURATIONS = 16
"""Of a tuned kernel that are compiled: the first fifteen and the last."""


@dataclass(frozen=True)
class Recording:
    """What a candidate did."""

    traces: dict[str, list[Trace]]
    """Those to run, by the plan's name."""
    tried: list[Trace]
    """Those of further configurations of tuned kernels, to compile."""
    tuned: frozenset[str]
    """Tuned kernels, as `name:line`."""
    notes: list[str]


def plans(reference: dict[str, Tree]) -> Iterator[dict[str, Tree]]:
    """Forwards in each mode, with other configurations, on other shapes and layouts."""
    main, decoys = reference["main"], reference["decoys"]
    updated = {mode: list(found["state"]) for mode, found in reference["modes"].items()}
    repeats = _FEWEST_REPEATS + secrets.randbelow(_FEWEST_REPEATS)  # nobody can know when it is watched last
    common = {"mode": main, "updated": updated[main]}
    yield {"name": "main", **common, "inputs": decoys, "required": True, "repeats": repeats}
    for mode, found in reference["modes"].items():
        if mode != main and not found["random"]:
            yield {"name": mode, "mode": mode, "updated": updated[mode], "inputs": decoys[:1], "required": True}
    yield {"name": "tuning", **common, "inputs": decoys[:1], "tuning": _MOST_CONFIGURATIONS}
    for name, variant in reference["variants"].items():
        yield {"name": name, **common, "inputs": [variant["decoy"]]}


def plan_with_other_parameters(reference: dict[str, Tree]) -> dict[str, Tree]:
    """The first forward of a candidate whose parameters are decoys; its trace says which memory is theirs."""
    main = reference["main"]
    common = {"mode": main, "updated": list(reference["modes"][main]["state"]), "required": True}
    given = {"inputs": reference["decoys"][:1], "state": list(reference["decoy_state"])}
    return {"name": OTHER_PARAMETERS, **common, **given}


def read_with_other_parameters(reply: dict[str, Tree]) -> list[Trace]:
    """The trace of that forward; none if it uses no parameters. Decided if the reply is forged."""
    try:
        traces = [trace.read(tree) for tree in reply["plans"][OTHER_PARAMETERS]["traces"]]
    except (BadTrace, KeyError, AttributeError, TypeError) as error:
        raise Decided("hack:forged_result", f"what came back is no trace: {error}") from None
    return traces


def read(reply: dict[str, Tree]) -> Recording:
    """The traces in a reply, which may be forged: Decided if it holds none."""
    try:
        found = reply["plans"]
        traces = {name: [trace.read(tree) for tree in plan.get("traces", [])] for name, plan in found.items()}
        if len(traces["main"]) != DECOYS + 1:
            raise BadTrace(f"{len(traces['main'])} traces of the main plan")
        tuning = found["tuning"]
        tried = [trace.read(tree) for tree in tuning.get("compiled", [])]
        tuned = frozenset(map(str, tuning.get("tuned", [])))
        return Recording(traces, tried, tuned, [*_lacking(reply["lacking"]), *_bounded(tuning)])
    except (BadTrace, KeyError, AttributeError, TypeError) as error:
        raise Decided("hack:forged_result", f"what came back is no trace: {error}") from None


def _lacking(names: list[str]) -> Iterator[str]:
    if names:
        yield f"the candidate has no counterpart of the reference's {', '.join(map(str, names))}"


def _bounded(tuning: dict[str, Tree]) -> Iterator[str]:
    count, tried = tuning.get("configurations", 0), tuning.get("tried", 0)
    if tried < count:
        yield f"{tried} of {count} configurations of its tuned kernels were compiled"


def verdict_of_failure(outcome: Outcome) -> str:
    """The verdict for a process that gave no traces."""
    verdicts = {
        "died": "runtime_error",
        "exited": "hack:exit",
        "forged": "hack:forged_result",
        "internal": "runtime_error",
    }
    return verdicts.get(outcome.failed, outcome.failed)
