"""The machine that executes a trace: tensors in memory of its own, operators by torch, kernels by a subclass or Triton.

Fresh memory is poisoned (poison.py) until written; each element that a kernel loads or stores must lie in a buffer that
was passed to it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.operators import base_name, is_allowed, is_finishing, is_update, moves
from kbtools_plugins.verify.protocol.replaying import ReplayRun, RunResult
from kbtools_plugins.verify.protocol.trace import TensorRef, Trace, TraceStep, live_steps
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker.replay.faults import Forged, Work
from kbtools_plugins.verify.worker.replay.poison import poisoned
from kbtools_plugins.verify.worker.tensors import copy_values, decode_tensor, encode_tensor, tensors_in


class Machine:
    """Executes one trace on given inputs; a subclass says where."""

    device = "cpu"

    poison = (0, 0)
    """Seed and turn of what fresh memory holds."""

    def __init__(
        self, trace: Trace, kernels: ModuleType, names: dict[str, str], allow: list[str], state: dict[str, Tensor]
    ) -> None:
        self.follow(trace)
        self._kernels = kernels
        self._names = names
        self._allow = allow
        self._state = state

    def follow(self, trace: Trace) -> None:
        """Execute this trace next."""
        self._trace = trace
        self._steps = live_steps(trace)
        to_output = {id(step) for step in live_steps(trace, buffers_count=False)}
        self._updates = {id(step) for step in self._steps} - to_output

    def run(self, inputs: list[torch.Tensor], wanted: ReplayRun) -> RunResult:
        """Outputs and the inputs' values afterwards."""
        self.forget(wanted.shift, wanted.turn)
        self.place(inputs, self._state | wanted.weights)
        self.execute(wanted.order, wanted.shift)
        return self.results()

    def results(self) -> RunResult:
        """What the last execution has left behind."""
        self.check_memory()
        changed = {
            name: tensor
            for name, tensor in self._kept().items()
            if name not in self._before or tensor.tensor != self._before[name].tensor
        }
        inputs = [encode_tensor(tensor) for tensor in self._inputs]
        return RunResult(outputs=self.outputs_of(self._trace), changed=changed, inputs=inputs)

    def _kept(self) -> dict[str, Tensor]:
        """Parameters and buffers as they are; what a forward has put in place of one is not there before it."""
        there = {name: tree for name, tree in self._trace.buffers.items() if tree["ref"]["storage"] in self._bases}
        return {name: encode_tensor(self._value(tree)) for name, tree in there.items()}

    def outputs_of(self, trace: Trace) -> Tree:
        """What is now in the memory that a trace has returned."""
        return self._outputs(trace.outputs)

    def forget(self, seed: int, turn: int) -> None:
        """Start with no memory; what is asked for is poisoned by these numbers."""
        self.poison = (seed, turn)
        self._bases: dict[int, torch.Tensor] = {}
        self._first: dict[str, Tensor] = {}
        """What was kept before the first call: one that writes the same again has still changed that."""

    def place(self, inputs: list[torch.Tensor], state: dict[str, Tensor]) -> None:
        """Lay out memory for the inputs and for what the candidate held before its forward, unless it is there."""
        self._inputs: list[torch.Tensor] = []
        for number, storage in enumerate(self._trace.storages):
            if storage.origin == "fresh":
                continue
            if number not in self._bases:
                self._bases[number] = self.memory(storage.size, storage.content)
            if storage.origin == "input":
                given = inputs[storage.index]
                view = _view(self._bases[number], given.dtype, 0, given.shape, given.stride())
                copy_values(given, view)
                self._inputs.append(view)
        for name, ref in self._trace.state.items():
            if name in state:
                copy_values(decode_tensor(state[name]), self._tensor(ref))
        now = self._kept()
        self._first = self._first or now
        self._before = {name: now[name] if name in state else self._first.get(name, now[name]) for name in now}

    def execute(self, order: str = "forward", shift: int = 0) -> None:
        """Run the steps that matter to the outputs."""
        with torch.no_grad(), torch.device(self.device):
            for step in self._steps:
                if not step.kernel:
                    self.operate(step)
                elif order != "skip" and 0 not in step.grid:
                    self._launch(step)

    def memory(self, size: int, content: bytes | None) -> torch.Tensor:
        """Bytes with this content, or poisoned ones."""
        if content:
            return torch.frombuffer(bytearray(content), dtype=torch.uint8).clone()
        return poisoned(size, *self.poison)

    def check_memory(self) -> None:
        """Raise if memory was touched that should not have been, where not each access was looked at."""

    def launch_kernel(self, step: TraceStep, kernel: Any, arguments: dict[str, Any]) -> None:
        """Run one kernel."""
        kernel[tuple(step.grid)](**arguments)

    def adopt(self, memory: torch.Tensor) -> torch.Tensor:
        """The bytes to use for memory that an operator has made."""
        return memory

    def operate(self, step: TraceStep) -> None:
        """Run one operator."""
        updates = id(step) in self._updates and is_update(step.operator)
        if not (updates or is_allowed(step.operator, self._allow, False) or is_finishing(step.operator)):
            raise PermissionError(f"operator {step.operator} at line {step.line} is not replayed")
        args, kwargs = self._value(step.args), self._value(step.kwargs)
        result = torch_operator(step)(*args, **kwargs)
        tensors = tensors_in(result)
        for tensor, ref in zip(tensors, step.results, strict=True):
            self._check_result(step, tensor, ref)
            if ref.storage not in self._bases or step.operator.startswith("aten.empty"):
                made = torch.empty(0, dtype=torch.uint8, device=self.device).set_(tensor.untyped_storage())
                self._bases[ref.storage] = self.adopt(made)
                if "empty" in base_name(step.operator):
                    self._bases[ref.storage].copy_(poisoned(made.numel(), *self.poison))
        if moves(step.operator) and len(tensors) == 1:
            given = tensors_in((args, kwargs))
            if given and not _keeps_whole_numbers(given[-1], tensors[0]):
                raise Work(f"torch computes by {step.operator} at line {step.line}: the cast changes whole numbers")

    def _check_result(self, step: TraceStep, tensor: torch.Tensor, ref: TensorRef) -> None:
        """What a trace says of a result decides what may be done to it, so it has to be true."""
        address = tensor.untyped_storage().data_ptr()
        elsewhere = ref.storage not in self._bases and any(
            base.untyped_storage().data_ptr() == address for base in self._bases.values() if address
        )
        if elsewhere or str(tensor.dtype) != f"torch.{ref.dtype}":
            raise Forged(f"the result of {step.operator} at line {step.line} is not what the trace says it is")

    def _launch(self, step: TraceStep) -> None:
        kernel = getattr(self._kernels, self._names[f"{step.kernel}:{step.kernel_line}"])
        self.launch_kernel(step, kernel, {name: self._launch_value(value) for name, value in step.bound.items()})

    def _tensor(self, ref: TensorRef) -> torch.Tensor:
        return _view(self._bases[ref.storage], getattr(torch, ref.dtype), ref.offset, ref.shape, ref.stride)

    def _value(self, tree: Tree, tensor: Callable[[TensorRef], Any] | None = None) -> Any:
        """The value of an argument, with the tensors that are meant or what `tensor` puts in their places."""
        if not isinstance(tree, dict):
            return tree
        (kind, body), *_ = tree.items()
        if kind == "ref":
            return (tensor or self._tensor)(TensorRef.model_validate(body))
        if kind in ("list", "tuple"):
            return [self._value(item, tensor) for item in body]
        if kind == "dict":
            return {key: self._value(item, tensor) for key, item in body}
        if kind == "device":
            return torch.device(self.device)
        return getattr(torch, body)

    def _launch_value(self, tree: Tree) -> Any:
        import triton.language as tl

        if not isinstance(tree, dict):
            return tree
        if "ref" in tree:
            from triton.runtime.jit import reinterpret

            tensor = self._tensor(TensorRef.model_validate(tree["ref"]))
            return reinterpret(tensor, getattr(tl, tree["as"])) if "as" in tree else tensor
        if "tuple" in tree:
            return tuple(self._launch_value(item) for item in tree["tuple"])
        if "triton" in tree:
            return tl.str_to_ty(tree["triton"], None)
        if "function" in tree:
            return getattr(self._kernels, self._names[f"{tree['function']}:{tree['line']}"])
        if "descriptor" in tree:
            return self._descriptor(tree["descriptor"])
        return self._value(tree)

    def _descriptor(self, fields: Tree) -> Any:
        from triton.tools.tensor_descriptor import TensorDescriptor

        base = self._launch_value(fields["base"])
        return TensorDescriptor(base, fields["shape"], fields["strides"], fields["block_shape"], fields["padding"])

    def _outputs(self, tree: Tree) -> Tree:
        if not isinstance(tree, dict):
            return tree
        (kind, body), *_ = tree.items()
        if kind == "ref":
            return encode_tensor(self._tensor(TensorRef.model_validate(body))).tree()
        if kind in ("list", "tuple"):
            return {kind: [self._outputs(item) for item in body]}
        if kind == "dict":
            return {kind: [[key, self._outputs(item)] for key, item in body]}
        return tree


def torch_operator(step: TraceStep) -> Any:
    """The operator that a step calls."""
    namespace, name, overload = [*step.operator.split("."), "default"][:3]
    return getattr(getattr(getattr(torch.ops, namespace), name), overload)


def _view(base: torch.Tensor, dtype: torch.dtype, offset: int, shape: Any, stride: Any) -> torch.Tensor:
    """A view of bytes as elements of `dtype`; `offset` and `stride` count elements."""
    start = base.storage_offset() // dtype.itemsize
    return torch.empty(0, dtype=dtype, device=base.device).set_(base.untyped_storage(), start + offset, shape, stride)


def _keeps_whole_numbers(source: torch.Tensor, made: torch.Tensor) -> bool:
    """Whether a copy of integers or truth values as others of the kind has left each as it was."""
    if any(tensor.is_floating_point() or tensor.is_complex() for tensor in (source, made)):
        return True
    if made.dtype == source.dtype or made.numel() != source.numel():
        return True
    return bool((made.to(source.dtype).reshape(-1) == source.reshape(-1)).all())
