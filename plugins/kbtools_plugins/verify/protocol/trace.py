"""What one forward of a candidate did, as data: storages, and the operators and kernel launches on them, in order.

A tensor inside a trace is a `TensorRef`, a view of a numbered storage. Traces are made in a process that runs foreign
code: everything read from one is checked here, and only what these types can say is ever replayed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Self

from pydantic import Field, model_validator

from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.wire import Tree

MAX_ELEMENTS = 2**31
MAX_STEPS = 20_000


class TensorRef(ProcessMessage):
    """A view: elements of `dtype` at `offset` with `shape` and `stride` (in elements) in storage `storage`."""

    storage: int = Field(ge=0)
    dtype: str = Field(pattern=r"^\w+$")
    offset: int = Field(ge=0)
    shape: list[int]
    stride: list[int]


class Storage(ProcessMessage):
    """A block of memory and where its first content comes from."""

    size: int = Field(ge=0, le=MAX_ELEMENTS * 8)
    origin: str = Field(pattern=r"^(input|constant|fresh)$")
    index: int = Field(0, ge=0)
    """Which input, for an input."""
    content: bytes | None = None
    """The bytes, for a constant."""
    left: bool = False
    """Whether a launch of an earlier forward was given this memory: its content is not what a kernel has left there."""


class TraceStep(ProcessMessage):
    """One operator call or one kernel launch."""

    operator: str = ""
    """`aten.add.Tensor`; empty for a launch."""
    args: Tree = None
    kwargs: Tree = None
    results: list[TensorRef] = []
    kernel: str = ""
    kernel_line: int = 0
    grid: list[int] = Field([], max_length=3)
    bound: dict[str, Tree] = {}
    """Arguments of the launch by parameter name: plain values, {"ref": TensorRef}, {"function": name}, ..."""
    options: dict[str, Tree] = {}
    """num_warps and the like."""
    line: int = 0
    """Line of the candidate that did it."""
    parsed: str = ""
    """A digest of what Triton parses for a launch in the candidate's own module, where that was looked at."""
    tainted: bool = False
    """Whether it works on inputs, parameters or results of kernels."""


class Trace(ProcessMessage):
    """One forward."""

    storages: list[Storage]
    steps: list[TraceStep] = Field(max_length=MAX_STEPS)
    reads: list[int] = []
    """Lines of the candidate that brought a tensor's value into Python."""
    outputs: Tree
    """The returned structure with {"ref": TensorRef} for tensors."""
    buffers: dict[str, Tree] = {}
    """Tensors of the module's state that count after the forward, by the reference's names."""
    state: dict[str, TensorRef] = {}
    """Parameters whose values a replay puts there first, by the reference's names."""
    on_host: list[int] = []
    """Which of the tensors that it returns are in the host's memory."""
    addresses: bool = False
    """Whether a kernel is given addresses of memory as numbers, which are others in a replay."""
    where: str = ""
    """What was answered otherwise than it is, where something was."""
    chosen: bool = False
    """Whether callers choose what was answered otherwise, so that torch may do the work there."""
    free: bool = False
    """Whether something else may be computed there, too, as with autocast."""

    @model_validator(mode="after")
    def _names_what_exists(self) -> Self:
        """Every view lies inside its storage, and every argument has a form that a replay knows."""
        named = [ref for step in self.steps for ref in step_refs(step)]
        for ref in [*refs([self.outputs, *self.buffers.values()]), *named, *self.state.values()]:
            _check(ref, self)
        for step in self.steps:
            _check_step(step)
        return self

    @property
    def launches(self) -> list[TraceStep]:
        """The steps that are kernel launches."""
        return [step for step in self.steps if step.kernel]

    def shape_of_it(self) -> str:
        """Equal for two traces that do the same."""
        return self.course() + json.dumps([hash(storage.content) for storage in self.storages])

    def course(self) -> str:
        """Equal for two traces that do the same, whatever values were there before."""
        return self.model_dump_json(
            exclude={
                "storages": {"__all__": {"content"}},
                "steps": {"__all__": {"parsed"}},
                "addresses": True,
                "where": True,
                "chosen": True,
                "free": True,
            }
        )


def step_refs(step: TraceStep) -> list[TensorRef]:
    """Every tensor that a step names."""
    return [*refs(step.args), *refs(step.kwargs), *refs([*step.bound.values()]), *step.results]


def refs(tree: Tree) -> list[TensorRef]:
    """Every tensor in an argument tree."""
    if isinstance(tree, dict):
        if "ref" in tree:
            return [TensorRef.model_validate(tree["ref"])]
        return [ref for value in tree.values() for ref in refs(value)]
    if isinstance(tree, list):
        return [ref for value in tree for ref in refs(value)]
    return []


def live_steps(
    trace: Trace,
    written: Callable[[TraceStep], set[int]] | None = None,
    *,
    inputs_count: bool = True,
    buffers_count: bool = True,
) -> list[TraceStep]:
    """The steps whose effect can reach an output, a buffer that counts, or an input that is written to.

    `written` tells the storages that a launch may write; without it, all that it is given.
    """
    wanted = {ref.storage for ref in refs(trace.outputs)}
    wanted |= {ref.storage for ref in refs([*trace.buffers.values()]) if buffers_count}
    wanted |= {number for number, storage in enumerate(trace.storages) if inputs_count and storage.origin == "input"}
    live: list[TraceStep] = []
    for step in reversed(trace.steps):
        touched = {ref.storage for ref in step_refs(step)}
        if step.kernel:
            reached = written(step) if written else touched
        else:
            reached = touched if _in_place(step) else {ref.storage for ref in step.results}
        if reached & wanted:
            live.append(step)
            wanted |= touched
    return live[::-1]


def _in_place(step: TraceStep) -> bool:
    name = step.operator.split(".")
    return len(name) > 1 and (name[1].endswith("_") or name[-1].endswith("out"))


_FORMS: dict[str, type | tuple[type, ...]] = {
    "ref": dict, "as": str, "function": str, "line": int, "triton": str, "tuple": list, "list": list, "dict": list,
    "dtype": str, "device": str, "memory_format": str, "layout": str, "torch": str, "mock": dict, "descriptor": dict,
}  # fmt: skip
"""What an argument that is not a plain value is written as, by the type of what follows."""


def _check_step(step: TraceStep) -> None:
    values = list(step.bound.values()) if step.kernel else [step.args, step.kwargs]
    if step.kernel and (len(step.grid) != 3 or min(step.grid) < 0):
        raise ValueError(f"a grid {step.grid}")
    for value in values:
        _check_value(value)


def _check_value(value: Tree) -> None:
    if isinstance(value, list):
        for item in value:
            _check_value(item)
    elif isinstance(value, dict):
        for name, body in value.items():
            if not isinstance(body, _FORMS.get(name, ())) or ("function" in value and "line" not in value):
                raise ValueError(f"an argument {name}")
            if isinstance(body, list):
                _check_value(body)
    elif not isinstance(value, bool | int | float | str | None):
        raise ValueError(f"an argument of type {type(value).__name__}")


def _check(ref: TensorRef, trace: Trace) -> None:
    storage = trace.storages[ref.storage] if ref.storage < len(trace.storages) else None
    if storage is None or len(ref.shape) != len(ref.stride) or any(size < 0 for size in ref.shape + ref.stride):
        raise ValueError(f"a view of storage {ref.storage}")
    if 0 in ref.shape:
        return
    last = ref.offset + sum((size - 1) * stride for size, stride in zip(ref.shape, ref.stride, strict=True))
    if (last + 1) * ITEM_BYTES.get(ref.dtype, storage.size + 1) > storage.size:
        raise ValueError(f"a view that exceeds storage {ref.storage}")


ITEM_BYTES = {
    "bool": 1, "uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint16": 2, "uint32": 4, "uint64": 8,
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
}  # fmt: skip
