"""The job that runs traces: allowed operators and clean kernels in Triton's interpreter, on the inputs that count.

No code of the candidate but its kernels' text is here. Fresh memory holds NaN patterns until written; each element that a
kernel loads or stores must lie in a buffer that was passed to it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from kbtools_plugins.verify.bounds import Interpreter, OutOfBounds
from kbtools_plugins.verify.operators import base_name, is_allowed
from kbtools_plugins.verify.trace import Step, TensorRef, Trace, live_steps, read, refs
from kbtools_plugins.verify.values import copy_values, decode_tensor, encode_tensor
from kbtools_plugins.verify.wire import Tree

POISON = 0xFF  # NaN in every floating type, -1 in signed integers


def warm_up() -> None:
    """Interpret one kernel, so that forks find everything imported."""
    import triton.language.extra.libdevice

    torch.set_num_threads(1)
    torch.zeros(2).clone()


def run(job: dict[str, Tree], send: Callable[[Tree], None]) -> Tree:
    """The outputs of each run in `job["runs"]`, or the error that ended it."""
    kernels = load_kernels(job["source"])
    traces = [read(tree) for tree in job["traces"]]
    results: list[Tree] = []
    for wanted in job["runs"]:
        machine = Machine(traces[wanted["trace"]], kernels, job["names"], job["allow"])
        try:
            results.append(machine.run([decode_tensor(tree) for tree in wanted["inputs"]], wanted["order"]))
        except Exception as error:  # noqa: BLE001 - a kernel's fault is its result
            results.append(_failure(error))
        if "failed" in results[-1]:
            break
    return {"results": results}


def load_kernels(source: str) -> ModuleType:
    """The clean kernel module, imported from a file because Triton reads its functions' text."""
    path = Path("kernels.py").resolve()
    path.write_text(source)
    module = ModuleType("kernels")
    sys.modules["kernels"] = module
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


class Machine:
    """Executes one trace on given inputs."""

    def __init__(self, trace: Trace, kernels: ModuleType, names: dict[str, str], allow: list[str]) -> None:
        self._trace = trace
        self._kernels = kernels
        self._names = names
        self._allow = allow
        self._storages: dict[int, torch.UntypedStorage] = {}

    def run(self, inputs: list[torch.Tensor], order: str) -> Tree:
        """Outputs and the inputs' values afterwards; `order` is forward, reverse or skip."""
        self._place(inputs)
        with Interpreter(reverse=order == "reverse") as interpreter, torch.no_grad():
            for step in live_steps(self._trace):
                if not step.kernel:
                    self._operate(step)
                elif order != "skip":
                    self._launch(step, interpreter)
        after = [encode_tensor(tensor) for tensor in self._inputs]
        return {"outputs": self._outputs(self._trace.outputs), "inputs": after}

    def _place(self, inputs: list[torch.Tensor]) -> None:
        self._inputs: list[torch.Tensor] = []
        views = dict(enumerate(inputs))
        for number, storage in enumerate(self._trace.storages):
            if storage.origin == "fresh":
                continue
            memory = _memory(storage.size, storage.content)
            self._storages[number] = memory.untyped_storage()
            if storage.origin == "input":
                given = views[storage.index]
                view = torch.empty(0, dtype=given.dtype).set_(memory.untyped_storage(), 0, given.shape, given.stride())
                copy_values(given, view)
                self._inputs.append(view)

    def _operate(self, step: Step) -> None:
        if not is_allowed(step.operator, self._allow, False):
            raise PermissionError(f"operator {step.operator} at line {step.line} is not replayed")
        namespace, name, overload = [*step.operator.split("."), "default"][:3]
        operator = getattr(getattr(getattr(torch.ops, namespace), name), overload)
        result = operator(*self._value(step.args), **self._value(step.kwargs))
        tensors = [item for item in (result if isinstance(result, list | tuple) else [result]) if isinstance(item, torch.Tensor)]
        for tensor, ref in zip(tensors, step.results, strict=True):
            if ref.storage not in self._storages:
                self._storages[ref.storage] = tensor.untyped_storage()
                if "empty" in base_name(step.operator):
                    _bytes_of(tensor.untyped_storage()).fill_(POISON)

    def _launch(self, step: Step, interpreter: Interpreter) -> None:
        if 0 in step.grid:
            return
        kernel = getattr(self._kernels, self._names[f"{step.kernel}:{step.kernel_line}"])
        arguments = {name: self._launch_value(value) for name, value in step.bound.items()}
        numbers = {ref.storage for ref in refs([*step.bound.values()])}
        interpreter.open_buffers(step.kernel, [self._storages[number] for number in numbers])
        kernel[tuple(step.grid)](**arguments)

    def _tensor(self, ref: TensorRef, dtype: str = "") -> torch.Tensor:
        kind = getattr(torch, dtype or ref.dtype)
        return torch.empty(0, dtype=kind).set_(self._storages[ref.storage], ref.offset, ref.shape, ref.stride)

    def _value(self, tree: Tree) -> Any:
        if not isinstance(tree, dict):
            return tree
        (kind, body), *_ = tree.items()
        if kind == "ref":
            return self._tensor(TensorRef.model_validate(body))
        if kind in ("list", "tuple"):
            return [self._value(item) for item in body]
        if kind == "dict":
            return {key: self._value(item) for key, item in body}
        if kind == "device":
            return torch.device("cpu")
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
            return encode_tensor(self._tensor(TensorRef.model_validate(body)))
        if kind in ("list", "tuple"):
            return {kind: [self._outputs(item) for item in body]}
        if kind == "dict":
            return {kind: [[key, self._outputs(item)] for key, item in body]}
        return tree


def _memory(size: int, content: bytes | None) -> torch.Tensor:
    if content:
        return torch.frombuffer(bytearray(content), dtype=torch.uint8).clone()
    return torch.full((size,), POISON, dtype=torch.uint8)


def _bytes_of(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8).set_(storage)


def _failure(error: Exception) -> Tree:
    """The interpreter wraps what happens inside a kernel: the innermost cause is what counts."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    kinds = {OutOfBounds: "out_of_bounds", MemoryError: "out_of_memory", NotImplementedError: "unsupported"}
    text = "".join(traceback.format_exception_only(cause)).strip()[-1500:]
    return {"failed": kinds.get(type(cause), "runtime_error"), "error": text}
