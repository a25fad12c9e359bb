"""Writes down what a forward does: torch operators through a dispatch mode, kernel launches in place of running them.

It runs in the candidate's process, so what it writes can be tampered with. That costs nothing: a trace is only believed
after its replay elsewhere gave the right numbers (see the package's docstring).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kbtools_plugins.verify.protocol.operators import is_allocation, is_allowed, is_read
from kbtools_plugins.verify.protocol.trace import MAX_STEPS, Storage, TensorRef, Trace, TraceStep
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker.compiler import Aside
from kbtools_plugins.verify.worker.nowhere import Nowhere
from kbtools_plugins.verify.worker.record.bindings import Bindings
from kbtools_plugins.verify.worker.record.front_end import FrontEnd
from kbtools_plugins.verify.worker.tensors import encode, tensors_in


class TooLong(Exception):
    """A forward does more than can be replayed."""


_PUT_INTO_MEMORY = {torch.ops.aten.set_.source_Storage, torch.ops.aten.set_.source_Storage_storage_offset}
"""A tensor has another memory afterwards, which is what it is known by."""


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The trace of the forward that runs between `begin` and `finish`."""

    def __init__(
        self,
        candidate_path: str,
        allow: Iterable[str],
        front_end: FrontEnd | None = None,
        nowhere: Nowhere | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = candidate_path
        self._allow = tuple(allow)
        self._front_end = front_end
        self._nowhere = nowhere
        self.bindings = Bindings(candidate_path)
        self._parameters: set[int] = set()
        self._left: dict[int, torch.UntypedStorage] = {}  # what kernels would have written to in earlier forwards
        self._recording = False
        self.perform: Callable[..., Any] = lambda operator, args, kwargs: operator(*args, **kwargs)
        """What runs an operator."""
        self.looked: Callable[[], None] = lambda: None
        """Is called when a value leaves a tensor."""
        self._unmade: set[int] = set()  # what depends on a kernel's results, which are not there
        self.unmade_read = 0
        """The line that first brought such a value into Python; 0 if none has."""

    def begin(
        self,
        inputs: list[torch.Tensor],
        parameters: Iterable[torch.Tensor],
        state: Mapping[str, torch.Tensor],
        *,
        continued: bool = False,
    ) -> None:
        """Start a trace; `inputs` are the tensors whose values count as input, `state` those that a replay sets.

        A `continued` one goes on in the memory of the last: what that has made is known under its number.
        """
        if not continued:
            self._numbers: dict[int, int] = {}
            self._alive: list[torch.UntypedStorage] = []  # a storage that is freed could come back as another one
            self._storages: list[Storage] = []
            self._tainted: set[int] = set()
            self._from_inputs: set[int] = set()
        self._steps: list[TraceStep] = []
        self._reads: list[int] = []
        self._launched: list[torch.UntypedStorage] = []
        self._parameters = {tensor.untyped_storage()._cdata for tensor in parameters}
        self._tainted |= self._parameters
        for index, tensor in enumerate(inputs):
            self._number(tensor, Storage(size=tensor.untyped_storage().nbytes(), origin="input", index=index))
            self._tainted.add(_key(tensor))
            self._from_inputs.add(_key(tensor))
        with Aside():
            self._state = {name: self._reference(tensor) for name, tensor in state.items()}
        self._recording = True

    def finish(self, outputs: object, buffers: Mapping[str, torch.Tensor]) -> Trace:
        """End the trace and return it; `buffers` are those whose values afterwards count."""
        with Aside():
            tree = self._arguments(outputs)
            kept = {name: self._arguments(tensor) for name, tensor in buffers.items()}
        self._recording = False
        self._left |= {storage._cdata: storage for storage in self._launched if self._is_fresh(storage)}
        reads = sorted(set(self._reads))
        return Trace(
            storages=self._storages, steps=self._steps, reads=reads, outputs=tree, buffers=kept, state=self._state
        )

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        kwargs = kwargs or {}
        if not self._recording or func in _PUT_INTO_MEMORY:
            return self._call(func, args, kwargs)
        if torch.is_inference_mode_enabled():  # where torch does not take composite operators apart before this
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        with Aside():
            return self._operate(func, args, kwargs)

    def _operate(self, func: Any, args: Any, kwargs: Any) -> object:
        name = str(func)
        given = tensors_in((args, kwargs))
        tainted = any(_key(tensor) in self._tainted for tensor in given)
        single = all(tensor.numel() <= 1 and _key(tensor) not in self._from_inputs for tensor in given)
        single = single and not (_in_place(func) and any(_key(tensor) in self._numbers for tensor in given))
        allowed = is_allowed(name, self._allow, False)
        if is_read(name):
            self.note_read(given)
        skipped = is_read(name) or (not allowed and (not tainted or single))
        recorded = (
            None
            if skipped
            else TraceStep(
                operator=name,
                args=self._arguments(args),
                kwargs=self._arguments(kwargs),
                tainted=tainted,
                line=self._line(),
            )
        )
        result = self._call(func, args, kwargs)
        results = tensors_in(result)
        if recorded is not None:
            self._check_length()
            made = [self._reference(tensor, "fresh") for tensor in results]
            self._steps.append(recorded.model_copy(update={"results": made}))
            if tainted and not is_allocation(name):
                self._spread(given, [*results, *(given if _in_place(func) else [])])
        return result

    def _call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        return self._nowhere.call(func, args, kwargs) if self._nowhere else self.perform(func, args, kwargs)

    def launch(self, kernel: Any, grid: list[int], bound: dict[str, object], options: dict[str, Any]) -> None:
        """Write down a launch; the kernel does not run."""
        if not self._recording:
            return
        with Aside():
            self.bindings.note(kernel)
            tensors = tensors_in(list(bound.values()))
            own = kernel.fn.__code__.co_filename == self.path
            self._check_length()
            plain = {name: value for name, value in options.items() if isinstance(value, bool | int | float | str)}
            trees = {name: self._launch_value(value) for name, value in bound.items()}
            step = TraceStep(
                kernel=kernel.fn.__name__ if own else f"{kernel.fn.__module__}.{kernel.fn.__name__}",
                kernel_line=kernel.fn.__code__.co_firstlineno if own else 0,
                grid=grid,
                bound=trees,
                options=plain,
                parsed=self._front_end.digest(kernel, trees, bound, plain) if own and self._front_end else "",
                line=self._line(),
                tainted=True,
            )
            self._steps.append(step)
            keys = {_key(tensor) for tensor in tensors}
            self._launched += [tensor.untyped_storage() for tensor in tensors]
            self._tainted |= keys
            self._from_inputs |= keys
            given = {key for key in keys if self._storages[self._numbers[key]].origin == "input"}
            self._unmade |= keys - given - self._parameters

    def _check_length(self) -> None:
        if len(self._steps) >= MAX_STEPS:
            raise TooLong(f"one forward does more than {MAX_STEPS:,} operators and launches")

    def note_read(self, tensors: list[torch.Tensor]) -> None:
        """Remember that the candidate looked at a value here, if it depends on an input."""
        self.looked()
        if self._recording and any(_key(tensor) in self._from_inputs for tensor in tensors):
            self._reads.append(self._line())
        if any(_key(tensor) in self._unmade for tensor in tensors):
            self.unmade_read = self.unmade_read or self._line()

    def _spread(self, given: list[torch.Tensor], reached: list[torch.Tensor]) -> None:
        keys = {_key(tensor) for tensor in reached}
        self._tainted |= keys
        if any(_key(tensor) in self._from_inputs for tensor in given):
            self._from_inputs |= keys
        if any(_key(tensor) in self._unmade for tensor in given):
            self._unmade |= keys

    def _arguments(self, value: object) -> Tree:
        if isinstance(value, torch.Tensor):
            return {"ref": self._reference(value).tree()}
        if isinstance(value, list | tuple):
            return {"list" if isinstance(value, list) else "tuple": [self._arguments(item) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[encode(key), self._arguments(item)] for key, item in value.items()]}
        if isinstance(value, torch.Generator):
            return None
        return encode(value)

    def _launch_value(self, value: Any) -> Tree:
        kind = type(value).__name__
        if isinstance(value, torch.Tensor):
            return {"ref": self._reference(value).tree()}
        if kind == "TensorWrapper":
            return {
                "ref": self._reference(value.base).tree(),
                "as": str(value.dtype).removeprefix("torch.").removeprefix("tl."),
            }
        if kind == "constexpr":
            return self._launch_value(value.value)
        if kind == "JITFunction":
            return {"function": value.fn.__name__, "line": value.fn.__code__.co_firstlineno}
        if kind == "dtype" and type(value).__module__.startswith("triton"):
            return {"triton": str(value)}
        if kind == "TensorDescriptor":
            fields = {name: list(getattr(value, name)) for name in ("shape", "strides", "block_shape")}
            return {"descriptor": {"base": self._launch_value(value.base), **fields, "padding": str(value.padding)}}
        if isinstance(value, list | tuple):
            return {"tuple": [self._launch_value(item) for item in value]}
        return encode(value)

    def _reference(self, tensor: torch.Tensor, origin: str = "constant") -> TensorRef:
        number = self._numbers.get(_key(tensor))
        if number is None:
            number = self._number(tensor, self._storage(tensor, origin))
        return TensorRef(
            storage=number,
            dtype=str(tensor.dtype).removeprefix("torch."),
            offset=int(tensor.storage_offset()),
            shape=list(tensor.shape),
            stride=list(tensor.stride()),
        )

    def _storage(self, tensor: torch.Tensor, origin: str) -> Storage:
        size = tensor.untyped_storage().nbytes()
        if origin != "constant":
            return Storage(size=size, origin=origin)
        content = None if self._nowhere and self._nowhere.holds(tensor) else _bytes(tensor)
        return Storage(size=size, origin=origin, content=content, left=_key(tensor) in self._left)

    def _number(self, tensor: torch.Tensor, first: Storage) -> int:
        storage = tensor.untyped_storage()
        number = len(self._storages)
        if self._numbers.setdefault(storage._cdata, number) == number:
            self._alive.append(storage)
            self._storages.append(first)
        return self._numbers[storage._cdata]

    def _is_fresh(self, storage: torch.UntypedStorage) -> bool:
        return self._storages[self._numbers[storage._cdata]].origin == "fresh"

    def _line(self) -> int:
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.path:
            frame = frame.f_back
        return frame.f_lineno if frame else 0


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(tensor: torch.Tensor) -> bytes:
    whole = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
    return bytes(whole.numpy().tobytes())


def _in_place(func: Any) -> bool:
    return bool(func._schema.is_mutable)
