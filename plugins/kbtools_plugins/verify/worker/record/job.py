"""The job that runs a candidate's Python: load, construct, set parameters, run forwards on decoys, return traces."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from kbtools_plugins.verify.host import sandbox
from kbtools_plugins.verify.protocol.recording import Plan, Recorded, RecordJob, RecordReply
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.protocol.wire import Talk, Tree
from kbtools_plugins.verify.worker import cuda_shim, loading
from kbtools_plugins.verify.worker.cards import MACHINES, SECOND
from kbtools_plugins.verify.worker.nowhere import Nowhere
from kbtools_plugins.verify.worker.record import audit, device_names, launches, library_shim
from kbtools_plugins.verify.worker.record.failures import Rejected, blamed, describe
from kbtools_plugins.verify.worker.record.front_end import FrontEnd
from kbtools_plugins.verify.worker.record.lines import Lines
from kbtools_plugins.verify.worker.record.placement import Placement
from kbtools_plugins.verify.worker.record.recorder import ReadWatch, Recorder
from kbtools_plugins.verify.worker.record.storages import show_device
from kbtools_plugins.verify.worker.record.surroundings import Surroundings, remember_modules
from kbtools_plugins.verify.worker.tensors import copy_values, decode, decode_tensor, tensors_in


def warm_up() -> None:
    """Import what a candidate is likely to import, so that no fork pays for it."""
    import platform

    import numpy  # noqa: F401
    import torch._dynamo
    import torch._subclasses.schema_check_mode
    import torch.nn.functional
    import triton.language.extra.libdevice  # noqa: F401

    platform.uname().processor  # noqa: B018 - it starts a program to find out, and remembers
    torch.set_num_threads(1)
    torch.nn.Linear(2, 2)(torch.zeros(1, 2))
    remember_modules()


def run(job: RecordJob, talk: Talk) -> RecordReply | RoleFailure:
    """Traces of every plan of the job, or why there are none; on a forbidden act, reports and ends at once."""
    folder = Path.cwd()
    place = Surroundings(str(folder / "candidate.py"), job.code, elsewhere=job.card == SECOND)
    path = place.path
    recorder = Recorder(path, job.allow, FrontEnd(job.target) if job.target else None, Nowhere() if job.far else None)
    placement = Placement()
    tuning = launches.install(recorder, placement)
    card = MACHINES[job.card]
    lines = Lines(path)

    def report(kind: str, what: str) -> None:
        talk.send(RoleFailure(failed=kind, error=what, ran=lines.ran).tree())
        os._exit(0)

    library_shim.install()
    readable = sandbox.readable_paths()
    try:
        with cuda_shim.installed(card), torch.no_grad(), placement, ReadWatch(recorder), recorder:
            place.install()
            show_device(path, placement)
            device_names.install(placement)
            before = audit.watched_values()
            lines.watch(job.watch)
            audit.watch(path, [*readable, folder], report)
            fresh = partial(_Candidate, job, placement, place)
            candidate = fresh()
            plans = {plan.name: _run_plan(plan, candidate, recorder, tuning, fresh) for plan in job.plans}
            changed = audit.changed_names(before)
    except BaseException as error:  # noqa: BLE001 - whatever a candidate raises, SystemExit included, is its own fault
        return blamed(describe(error, path, job.code), recorder).model_copy(update={"ran": lines.ran})
    if lines.no_cuda:
        return RoleFailure(failed="unsupported:cuda_api", error=f"it catches {lines.no_cuda}", ran=lines.ran)
    if changed:
        return RoleFailure(failed="hack:patched_name", error=f"it replaced {', '.join(changed)}")
    if left := sorted(file.name for file in folder.iterdir() if file.is_file() and file.name != "candidate.py"):
        return RoleFailure(failed="forbidden:file_write", error=f"it left the file {left[0]}")
    if cuda_shim.Stream.made > cuda_shim.Stream.joined:
        return RoleFailure(failed="hack:side_stream", error="it made a stream that is never waited for")
    return RecordReply(
        plans=plans,
        lacking=candidate.lacking,
        bindings=recorder.bindings.found,
        ran=lines.ran,
        asked_for_card=cuda_shim.Default.asked,
    )


class _Candidate:
    """The candidate's module with the reference's parameters and buffers."""

    def __init__(self, job: RecordJob, placement: Placement, place: Surroundings) -> None:
        self._placement = placement
        loaded = loading.load(job.code, place.module, place.path, place.own_builtins())
        args, kwargs = self.decoded(job.init)
        self.instance = loading.construct(getattr(loaded, job.entry), args, kwargs)
        placement.move_to_device(self.tensors())
        with placement.paused():
            self._state = {name: decode_tensor(tensor) for name, tensor in job.state.items()}
            self._weights = {name: decode_tensor(tensor) for name, tensor in job.weights.items()}
        self._names = loading.counterparts(self.instance, self._state)
        self.lacking = [name for name in self._state if name not in self._names]

    def decoded(self, values: Tree) -> Any:
        """Values that were sent; their tensors are on the device."""
        with self._placement.paused():
            return decode(values)

    def reset(self) -> None:
        """Back to the state before any forward: kernels do not run here, so what one leaves behind is not a state."""
        loading.copy_state(self.instance, self._state, self._names)

    def train(self) -> None:
        """Other weights, as an optimizer would leave them; buffers stay."""
        there = {name: self._names[name] for name in self._weights if name in self._names}
        loading.copy_state(self.instance, self._weights, there)

    def tensors(self) -> list[torch.Tensor]:
        """Parameters and buffers as they are now, those outside the state dict too."""
        if not isinstance(self.instance, torch.nn.Module):
            return []
        return [*self.instance.parameters(), *self.instance.buffers()]

    def counterparts(self, names: list[str]) -> dict[str, torch.Tensor]:
        """Its parameters and buffers that correspond to the reference's of these names."""
        own = loading.held(self.instance)
        return {name: own[self._names[name]] for name in names if self._names.get(name) in own}


def _run_plan(
    plan: Plan, candidate: _Candidate, recorder: Recorder, tuning: launches.Tuning, fresh: Callable[[], _Candidate]
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
    plan: Plan, forwards: Callable[[], list[Trace]], recorder: Recorder, fresh: Callable[[], _Candidate]
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


def _sequence(plan: Plan, candidate: _Candidate, recorder: Recorder) -> list[Trace]:
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


def _forwards(plan: Plan, candidate: _Candidate, recorder: Recorder) -> list[Trace]:
    args = candidate.decoded(plan.inputs[0])
    tensors = tensors_in(args)
    traces: list[Trace] = []
    kept: list[Any] = []
    calls = [*plan.inputs, *(plan.inputs[number % 2] for number in range(plan.repeats))]
    for number, values in enumerate(calls):
        if number:
            for target, source in zip(tensors, tensors_in(candidate.decoded(values)), strict=True):
                copy_values(source, target)
        candidate.reset()
        held = candidate.counterparts(plan.kept)
        recorder.begin(tensors, candidate.tensors(), candidate.counterparts(plan.state))
        outputs = candidate.instance(*args)
        _reject_strange(outputs, kept, [*tensors, *held.values()])
        trace = recorder.finish(outputs, candidate.counterparts(plan.kept))
        if device_names.passes_addresses(trace):
            raise Rejected("unsupported:host_reads_data", "a kernel is given addresses of memory as numbers")
        if number <= len(plan.inputs) or trace.course() != traces[len(plan.inputs) - 1].course():
            traces[len(plan.inputs) :] = [trace]  # of the repeated calls one is kept, the last that differs if any
        kept[:] = [*kept[-1:], outputs]
    if plan.repeats and traces[0].launches:
        _require_work_again(plan, candidate, recorder, args)
    return traces


def _require_work_again(plan: Plan, candidate: _Candidate, recorder: Recorder, args: Any) -> None:
    """Rejected if a call launches nothing that differs in nothing from the one before, not even in versions."""
    recorder.begin(tensors_in(args), candidate.tensors(), candidate.counterparts(plan.state))
    outputs = candidate.instance(*args)
    if not recorder.finish(outputs, candidate.counterparts(plan.kept)).launches:
        raise Rejected("hack:output_cache", "called once more with nothing changed, it launches nothing")


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
