"""Forwards of a candidate as a plan asks for them: in its mode and memory, once per set of inputs, with each tuning."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from kbtools_plugins.verify.protocol.operators import is_allocation
from kbtools_plugins.verify.protocol.recording import Plan, Recorded
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker import loading
from kbtools_plugins.verify.worker.record import device_names, launches
from kbtools_plugins.verify.worker.record.answers.answers import DRAWN, Answers, Doubt
from kbtools_plugins.verify.worker.record.counters import counters, late
from kbtools_plugins.verify.worker.record.failures import OwnFault, Rejected, describe, is_own
from kbtools_plugins.verify.worker.record.instance import Instance
from kbtools_plugins.verify.worker.record.own_state import fingerprint
from kbtools_plugins.verify.worker.record.recorder import Recorder
from kbtools_plugins.verify.worker.tensors import copy_values, memory_of, tensors_in


def run_plan(
    plan: Plan, candidate: Instance, recorder: Recorder, tuning: launches.Tuning, fresh: Callable[[], Instance]
) -> Recorded:
    """Forward on the plan's first decoys, then on each further set written into the same memory."""
    loading.set_mode(candidate.instance, plan.mode)
    try:
        if plan.sequence:
            return Recorded(traces=_sequence(plan, candidate, recorder))
        forwards = partial(_forwards, plan, candidate, recorder)
        if plan.contexts:
            return _in_contexts(plan, forwards, recorder, fresh)
        return _tuned(forwards, tuning, plan.tuning) if plan.tuning else Recorded(traces=forwards())
    except BaseException as error:
        if plan.required:
            raise
        return Recorded(failure=describe(error, recorder.path, ""))


_CONTEXTS = {"grad": torch.enable_grad, "inference": torch.inference_mode}


def _in_contexts(
    plan: Plan, forwards: Callable[[], list[Trace]], recorder: Recorder, fresh: Callable[[], Instance]
) -> Recorded:
    """Forwards without gradients, and of new instances as other callers call them; failing there is worth a note."""
    traces, failure = forwards(), None
    for name in plan.contexts:
        try:
            other = fresh()
            loading.set_mode(other.instance, plan.mode)
            with _CONTEXTS[name]():
                traces += _forwards(plan, other, recorder)
        except Exception as error:  # noqa: BLE001 - whatever it raises where no check would call it
            failure = describe(error, recorder.path, "")
    return Recorded(traces=traces, failure=failure)


@dataclass(frozen=True)
class Doubted:
    """What new instances do where answers are others."""

    traces: list[Trace]
    refused: list[str]
    """What it was told where it always raises if it is told otherwise: nobody sees what it does with such answers."""


def doubted(
    plan: Plan, answers: Answers, recorder: Recorder, fresh: Callable[[], Instance], known: list[Trace]
) -> Doubted:
    """What is not known of it. One that raises there says nothing: no device has answered so. OwnFault if it is not the
    candidate that raises."""
    shapes, courses = {trace.shape_of_it() for trace in known}, {trace.course() for trace in known}
    found: dict[tuple[str, bool, bool], Trace] = {}
    raised: dict[str, bool] = {}
    for given, text in answers.tries():
        traces = _told_otherwise(plan, answers, recorder, fresh, given)
        raised[text] = raised.get(text, True) and traces is None
        for trace in traces or ():
            if given == DRAWN and trace.course() in courses:
                continue  # the reference has drawn others, too
            chosen, free = answers.are_of_callers(given), answers.are_of_values(given)
            told = trace.model_copy(update={"where": text, "chosen": chosen, "free": free})
            found.setdefault((trace.shape_of_it(), chosen, free), told)
    traces = [trace for (shape, *_), trace in found.items() if shape not in shapes]
    return Doubted(traces, [text for text, always in raised.items() if always])


def _told_otherwise(
    plan: Plan, answers: Answers, recorder: Recorder, fresh: Callable[[], Instance], given: frozenset[Doubt]
) -> list[Trace] | None:
    """Forwards of a new instance; None where it raises."""
    try:
        with answers.otherwise(given):
            other = fresh()
            loading.set_mode(other.instance, plan.mode)
            return _forwards(plan, other, recorder)
    except Exception as error:
        if is_own(error, recorder.path):
            raise OwnFault from error
        return None
    except BaseException:  # noqa: BLE001 - SystemExit, or that it took too long
        return None


_MOST_CARRIED = 2**28
"""Bytes of constants that traces of further configurations may hold."""


def _tuned(forwards: Callable[[], list[Trace]], tuning: launches.Tuning, most: int) -> Recorded:
    """Forwards with other configurations than the first: a tuner may choose any of them."""
    count = tuning.configurations()
    tried = [*range(1, count)][: most - 2] + [count - 1] * (count >= most)
    traces: list[Trace] = []
    carried = 0
    for choice in tried:
        tuning.choose(choice)
        found = forwards()
        carried += sum(len(storage.content or b"") for trace in found for storage in trace.storages)
        if carried > _MOST_CARRIED:
            break
        traces += found
    tuning.choose(0)
    return Recorded(
        traces=traces,
        configurations=count,
        tried=len(traces) + 1,
        tuned=tuning.kernels(),
    )


def _sequence(plan: Plan, candidate: Instance, recorder: Recorder) -> list[Trace]:
    """Calls in one memory. Before the last, only weights change: a memo of inputs would take them for known."""
    args = candidate.decoded(plan.inputs[0])
    tensors = tensors_in(args)
    candidate.reset()
    traces: list[Trace] = []
    kept: list[Any] = []
    for number in range(len(plan.inputs) + 1):
        if 0 < number < len(plan.inputs):
            for target, source in zip(tensors, tensors_in(candidate.decoded(plan.inputs[number])), strict=True):
                copy_values(source, target)
        if number == len(plan.inputs):
            candidate.train()
        held = candidate.counterparts(plan.kept)
        recorder.begin(tensors, candidate.tensors(), held, continued=number > 0)
        outputs = candidate.instance(*args)
        _reject_strange(outputs, kept, [*tensors, *held.values()])
        traces.append(recorder.finish(outputs, candidate.counterparts(plan.kept)))
        kept.append(outputs)
    return traces


_MORE_CALLS, _MORE_SECONDS = 256, 0.5
"""Calls of a candidate whose Python keeps something else after each, and processor time for them."""


def _forwards(plan: Plan, candidate: Instance, recorder: Recorder) -> list[Trace]:
    args = candidate.decoded(plan.inputs[0])
    traces: list[Trace] = []
    kept: list[Any] = []
    calls = [*plan.inputs, *(plan.inputs[number % 2] for number in range(plan.repeats))]
    before: tuple[str, ...] = ()
    held: set[int] = set()
    for number, values in enumerate(calls):
        if plan.repeats and number == len(calls) - 1:
            before, held = fingerprint(candidate.module, candidate.instance), candidate.kept_memory()
        trace = _call(plan, candidate, recorder, args, values if number else None, kept)
        _require_new_memory(kept[-1], held - {memory_of(tensor) for tensor in tensors_in(args)})
        if number <= len(plan.inputs) or _differs(trace, plan, traces):
            traces[len(plan.inputs) :] = [trace]  # of the repeated calls one is kept, the last that differs if any
    changes = plan.repeats and before != fingerprint(candidate.module, candidate.instance)
    if plan.repeats and traces[0].launches:
        _require_work_again(plan, candidate, recorder, args)
    if changes:
        traces[len(plan.inputs) :] = [_much_later(plan, candidate, recorder, args, traces)]
    return traces


def _call(
    plan: Plan, candidate: Instance, recorder: Recorder, args: Any, values: Tree | None, kept: list[Any]
) -> Trace:
    """One forward, on values that are written into the memory of the arguments before."""
    tensors = tensors_in(args)
    if values is not None:
        for target, source in zip(tensors, tensors_in(candidate.decoded(values)), strict=True):
            copy_values(source, target)
    candidate.reset()
    held = candidate.counterparts(plan.kept)
    recorder.begin(tensors, candidate.tensors(), candidate.counterparts(plan.state))
    outputs = candidate.instance(*args)
    _reject_strange(outputs, kept, [*tensors, *held.values()])
    trace = recorder.finish(outputs, candidate.counterparts(plan.kept))
    kept.append(outputs)
    found = {"addresses": device_names.passes_addresses(trace), "on_host": candidate.on_host(outputs)}
    return trace.model_copy(update=found)


def _differs(trace: Trace, plan: Plan, traces: list[Trace]) -> bool:
    return trace.course() != traces[len(plan.inputs) - 1].course()


def _much_later(plan: Plan, candidate: Instance, recorder: Recorder, args: Any, traces: list[Trace]) -> Trace:
    """A call that does otherwise than the steady ones, where counters say that it is late, or one of many further
    calls; if none does, the last one known."""

    def call() -> Trace:
        return _call(plan, candidate, recorder, args, plan.inputs[0], [])

    found, known = traces[-1], _work(traces[-1])
    for _ in late(counters(candidate.module, candidate.instance, call), candidate.numbers()):
        with contextlib.suppress(Exception):  # it may have counted something else
            found = trace if _differs(trace := call(), plan, traces) else found
            if _work(found) != known:
                return found
    until = time.process_time() + _MORE_SECONDS
    for number in range(_MORE_CALLS):
        trace = _call(plan, candidate, recorder, args, plan.inputs[number % 2], [])
        found = trace if _differs(trace, plan, traces) else found
        if _work(found) != known or time.process_time() > until:
            break
    return found


def _work(trace: Trace) -> list[object]:
    """What is done, in order, but for memory that is made, whose size calls may be counted by."""
    return [
        (step.operator, step.kernel, step.grid, [value for value in step.bound.values() if not isinstance(value, dict)])
        for step in trace.steps
        if step.kernel or not is_allocation(step.operator)
    ]


def _require_work_again(plan: Plan, candidate: Instance, recorder: Recorder, args: Any) -> None:
    """Rejected if a call launches nothing that differs in nothing from the one before, not even in versions."""
    if not _again(plan, candidate, recorder, args).launches:
        raise Rejected("hack:output_cache", "called once more with nothing changed, it launches nothing")


def unchanged(plan: Plan, candidate: Instance, recorder: Recorder) -> Callable[[], Trace]:
    """A forward that can be made as often as wanted, with nothing changed between one and the next."""
    loading.set_mode(candidate.instance, plan.mode)
    return partial(_again, plan, candidate, recorder, candidate.decoded(plan.inputs[0]))


def _again(plan: Plan, candidate: Instance, recorder: Recorder, args: Any) -> Trace:
    recorder.begin(tensors_in(args), candidate.tensors(), candidate.counterparts(plan.state))
    outputs = candidate.instance(*args)
    return recorder.finish(outputs, candidate.counterparts(plan.kept))


def _require_new_memory(outputs: object, held: set[int]) -> None:
    """Rejected if a call returned what the candidate held before it: one of so many buffers that come round again."""
    if held & {memory_of(tensor) for tensor in tensors_in(outputs)}:
        raise Rejected("hack:output_cache", "a call returned memory that the candidate had kept since an earlier one")


def _reject_strange(outputs: Any, earlier: list[object], known: list[torch.Tensor]) -> None:
    with torch._C.DisableTorchFunction():
        leaves = tensors_in(outputs)
        for leaf in leaves:
            if type(leaf) not in (torch.Tensor, torch.nn.Parameter):
                raise Rejected(
                    "hack:tensor_subclass", f"it returned a {type(leaf).__qualname__} instead of a plain tensor"
                )
        owned = {tensor.untyped_storage()._cdata for tensor in known}
        old = {leaf.untyped_storage()._cdata for leaf in tree_flatten(earlier)[0] if isinstance(leaf, torch.Tensor)}
        if any(leaf.untyped_storage()._cdata in old - owned for leaf in leaves):
            raise Rejected("hack:output_cache", "a second call returned the memory that the first call had returned")
