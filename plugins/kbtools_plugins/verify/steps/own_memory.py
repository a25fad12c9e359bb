"""Where a candidate's results lie: in memory of their own, as far as the reference's do, and on the device."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.outputs import Extent, shared
from kbtools_plugins.verify.protocol.reference import ReferenceReply
from kbtools_plugins.verify.protocol.trace import ITEM_BYTES, TensorRef, Trace, refs, step_refs
from kbtools_plugins.verify.steps.trace_rules import Decided


def require_own_memory(traces: dict[str, list[Trace]], reference: ReferenceReply, code: str) -> None:
    """Decided if a forward in one of the modes returns what shares memory where the reference's outputs do not, or what
    is in the host's memory; a reference whose `code` names the host may mean that."""
    for name in ("main", *reference.modes):
        known = reference.modes[reference.main if name == "main" else name].shared
        for trace in traces.get(name, []):
            _require_apart(trace, known)
            if "cpu" not in code:
                _require_on_device(trace)


def _require_apart(trace: Trace, known: list[str]) -> None:
    inputs = [number for number, storage in enumerate(trace.storages) if storage.origin == "input"]
    found = [one for one in shared(inputs, list(map(_place, refs(trace.outputs)))) if one not in known]
    if found:
        raise Decided("wrong_output", f"{found[0]}, which the reference's is not: a change of one is one of the other")


def _require_on_device(trace: Trace) -> None:
    outputs = refs(trace.outputs)
    made = {ref.storage for step in trace.steps if step.tainted for ref in step_refs(step)}
    for number in trace.on_host:
        if outputs[number].storage in made:
            raise Decided("wrong_shape_or_dtype", f"output {number} is in the host's memory, not on the device")


def _place(ref: TensorRef) -> Extent:
    item = ITEM_BYTES[ref.dtype]
    return Extent(ref.storage, ref.offset * item, ref.shape, [stride * item for stride in ref.stride])
