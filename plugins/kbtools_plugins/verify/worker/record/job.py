"""The job that runs a candidate's Python: load, construct, set parameters, run forwards on decoys, return traces."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from kbtools_plugins.verify.host import sandbox
from kbtools_plugins.verify.protocol.wire import Talk, Tree
from kbtools_plugins.verify.worker import cuda_shim
from kbtools_plugins.verify.worker import loading as module
from kbtools_plugins.verify.worker.record import audit, launches, library_shim
from kbtools_plugins.verify.worker.record.recorder import ReadWatch, Recorder
from kbtools_plugins.verify.worker.tensors import copy_values, decode


def warm_up() -> None:
    """Import what a candidate is likely to import, so that no fork pays for it."""
    import numpy  # noqa: F401
    import torch._dynamo
    import torch.nn.functional
    import triton.language.extra.libdevice  # noqa: F401

    torch.set_num_threads(1)
    torch.nn.Linear(2, 2)(torch.zeros(1, 2))


def run(job: dict[str, Tree], talk: Talk) -> Tree:
    """Traces of every plan in `job["plans"]`, or why there are none; on a forbidden act, reports and ends at once."""
    path = str(Path("candidate.py").resolve())
    recorder = Recorder(path, job["allow"])
    tuning = launches.install(recorder)

    def report(kind: str, what: str) -> None:
        talk.send({"failed": kind, "error": what})
        os._exit(0)

    library_shim.install()
    try:
        with cuda_shim.installed(), torch.no_grad(), ReadWatch(recorder), recorder:
            before = audit.watched_values()
            audit.watch(path, sandbox.readable_paths(), report)
            candidate = _Candidate(job)
            plans = {plan["name"]: _run_plan(plan, candidate, recorder, tuning) for plan in job["plans"]}
            changed = audit.changed_names(before)
    except BaseException as error:  # noqa: BLE001 - whatever a candidate raises, SystemExit included, is its own fault
        return describe(error, path)
    if changed:
        return {"failed": "hack:patched_name", "error": f"it replaced {', '.join(changed)}"}
    if cuda_shim.Stream.made > cuda_shim.Stream.joined:
        return {"failed": "hack:side_stream", "error": "it made a stream that is never waited for"}
    return {"plans": plans, "lacking": candidate.lacking}


class _Candidate:
    """The candidate's module with the reference's parameters and buffers."""

    def __init__(self, job: dict[str, Tree]) -> None:
        loaded = module.load(job["code"], "candidate")
        args, kwargs = decode(job["init"])
        self.instance = module.construct(getattr(loaded, job["entry"]), args, kwargs)
        self._state = {name: decode(tree) for name, tree in job["state"].items()}
        self._names = module.counterparts(self.instance, self._state)
        self.lacking = [name for name in self._state if name not in self._names]

    def reset(self) -> None:
        """Back to the state before any forward: kernels do not run here, so what one leaves behind is not a state."""
        module.copy_state(self.instance, self._state, self._names)

    def tensors(self) -> list[torch.Tensor]:
        """Parameters and buffers as they are now, those outside the state dict too."""
        if not isinstance(self.instance, torch.nn.Module):
            return []
        return [*self.instance.parameters(), *self.instance.buffers()]

    def counterparts(self, names: list[str]) -> dict[str, torch.Tensor]:
        """Its parameters and buffers that correspond to the reference's of these names."""
        own = module.held(self.instance)
        return {name: own[self._names[name]] for name in names if self._names.get(name) in own}


def _run_plan(plan: dict[str, Tree], candidate: _Candidate, recorder: Recorder, tuning: launches.Tuning) -> Tree:
    """Forward on the plan's first decoys, then on each further set written into the same memory."""
    module.set_mode(candidate.instance, plan["mode"])
    try:
        forwards = partial(_forwards, plan, candidate, recorder)
        return _tuned(forwards, tuning, plan["tuning"]) if "tuning" in plan else forwards()
    except BaseException as error:
        if plan.get("required"):
            raise
        return describe(error, recorder._path)


def _tuned(forwards: Callable[[], Tree], tuning: launches.Tuning, most: int) -> Tree:
    """Forwards with other configurations than the first: the last one's trace to run, further ones' to compile."""
    count = tuning.configurations()
    tried = [*range(1, count)][: most - 2] + [count - 1] * (count >= most)
    traces = []
    for choice in tried:
        tuning.choose(choice)
        traces += forwards()["traces"]
    tuning.choose(0)
    bare = [trace | {"storages": [storage | {"content": None} for storage in trace["storages"]]} for trace in traces]
    found = {"configurations": count, "tried": len(tried) + 1, "tuned": tuning.kernels()}
    return {"traces": traces[-1:], "compiled": bare[:-1], **found}


def _forwards(plan: dict[str, Tree], candidate: _Candidate, recorder: Recorder) -> Tree:
    args = decode(plan["inputs"][0])
    tensors = [leaf for leaf in tree_flatten(args)[0] if isinstance(leaf, torch.Tensor)]
    traces: list[Tree] = []
    kept: list[Any] = []
    calls = [*plan["inputs"], *(plan["inputs"][number % 2] for number in range(plan.get("repeats", 0)))]
    for number, values in enumerate(calls):
        if number:
            fresh = [leaf for leaf in tree_flatten(decode(values))[0] if isinstance(leaf, torch.Tensor)]
            for target, source in zip(tensors, fresh, strict=True):
                copy_values(source, target)
        candidate.reset()
        state = candidate.tensors()
        recorder.begin(tensors, state, candidate.counterparts(plan.get("state", [])))
        outputs = candidate.instance(*args)
        _reject_strange(outputs, kept, tensors + state)
        trace = recorder.finish(outputs, candidate.counterparts(plan["updated"]))
        if number <= len(plan["inputs"]) or _course(trace) != _course(traces[len(plan["inputs"]) - 1]):
            traces[len(plan["inputs"]) :] = [trace]  # of the repeated calls one is kept, the last that differs if any
        kept[:] = [*kept[-1:], outputs]
    return {"traces": traces}


def _course(trace: Tree) -> Tree:
    """What a forward did, without the values that it did it on."""
    storages = [{name: value for name, value in storage.items() if name != "content"} for storage in trace["storages"]]
    return trace | {"storages": storages}


_NO_CUDA = ("not compiled with CUDA", "NVIDIA driver", "has no attribute '_cuda")
"""What torch says where the shim has no answer."""


class Rejected(Exception):
    """The candidate did something that has a verdict of its own."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


def _reject_strange(outputs: Any, earlier: list[Any], known: list[torch.Tensor]) -> None:
    with torch._C.DisableTorchFunction():
        leaves = [leaf for leaf in tree_flatten(outputs)[0] if isinstance(leaf, torch.Tensor)]
        for leaf in leaves:
            if type(leaf) not in (torch.Tensor, torch.nn.Parameter):
                raise Rejected(
                    "hack:tensor_subclass", f"it returned a {type(leaf).__qualname__} instead of a plain tensor"
                )
        owned = {tensor.untyped_storage()._cdata for tensor in known}
        old = {leaf.untyped_storage()._cdata for leaf in tree_flatten(earlier)[0] if isinstance(leaf, torch.Tensor)}
        if any(leaf.untyped_storage()._cdata in old - owned for leaf in leaves):
            raise Rejected("hack:output_cache", "a second call returned the memory that the first call had returned")


def describe(error: BaseException, path: str) -> Tree:
    """The failure that an exception of a candidate stands for, with the last lines that lead to it."""
    lines = traceback.format_exception(error)
    own = [entry for entry in traceback.extract_tb(error.__traceback__) if entry.filename == path]
    where = f"line {own[-1].lineno}: " if own else ""
    text = f"{where}{''.join(traceback.format_exception_only(error)).strip()}"[-1500:]
    if isinstance(error, Rejected):
        return {"failed": error.kind, "error": str(error)}
    if isinstance(error, cuda_shim.CudaGraphUsed):
        return {"failed": "hack:cuda_graph", "error": text}
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return {"failed": "out_of_memory", "error": text}
    if any(sign in text for sign in _NO_CUDA):
        return {"failed": "unsupported:cuda_api", "error": text}
    if isinstance(error, SystemExit):
        return {"failed": "hack:exit", "error": text}
    return {"failed": "runtime_error", "error": text, "traceback": "".join(lines)[-4000:]}
