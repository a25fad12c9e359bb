"""Triton's interpreter with additions: accesses are checked against buffers and for races, the grid can run backwards.

A program whose result depends on the order of its blocks has a race that a GPU would show at random. One that reads
what another program of the same launch has written has one too, even where each order gives the same sum; so has one
that writes something else there, even where the first and the last program agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import triton.language as tl
from triton.runtime import interpreter as _triton

from kbtools_plugins.verify.interpreter.worker.device_range import device_range
from kbtools_plugins.verify.worker.replay.faults import OutsideBuffers, Race

_LOADS_AND_STORES = {
    "create_masked_load": (0, 1),
    "create_masked_store": (0, 2),
    "create_atomic_cas": (0, None),
    "create_atomic_rmw": (1, 3),
}


_Bytes = tuple[int, npt.NDArray[np.uint64], npt.NDArray[np.uint8]]
"""The number of a buffer, places in it, and what is there."""


class Interpreter:
    """A block inside which kernels are checked; the interpreter's builder is one object per process."""

    def __init__(self, *, reverse: bool, shift: int = 0) -> None:
        """`reverse` the order of the grid's programs; start `shift` programs later, in each dimension, and go round."""
        self._builder: Any = _triton.interpreter_builder
        self._reverse = reverse
        self._shift = shift
        self._kernel = ""
        self._starts = np.empty(0, dtype=np.uint64)
        self._ends = np.empty(0, dtype=np.uint64)

    def __enter__(self) -> Interpreter:
        for name, (pointer, mask) in _LOADS_AND_STORES.items():
            setattr(self._builder, name, self._checked(name, pointer, mask))
        self._set_grid_index = self._builder.set_grid_idx
        self._builder.set_grid_idx = self._next_program
        self._patching = _PatchOnce()
        _triton._patch_lang = self._patching
        self._convert = _triton._implicit_cvt
        _triton._implicit_cvt = self._argument
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in [*_LOADS_AND_STORES, "set_grid_idx"]:
            self._builder.__dict__.pop(name, None)
        _triton._implicit_cvt = self._convert
        self._patching.undo()

    def _argument(self, value: Any) -> object:
        """An argument that is not a constant: a fraction has 32 bits, as on a device."""
        if not isinstance(value, float):
            return self._convert(value)
        return tl.tensor(_triton.TensorHandle(np.array([value], dtype=np.float32), tl.float32), tl.float32)

    def open_buffers(self, kernel: str, buffers: list[torch.Tensor]) -> None:
        """Allow the next launch to touch these bytes only."""
        ordered = sorted(buffers, key=torch.Tensor.data_ptr)
        self._kernel = kernel
        self._memory = [buffer.numpy() for buffer in ordered]
        self._starts = np.array([buffer.data_ptr() for buffer in ordered], dtype=np.uint64)
        self._ends = np.array([buffer.data_ptr() + buffer.numel() for buffer in ordered], dtype=np.uint64)
        self._writers: dict[int, npt.NDArray[np.int32]] = {}
        self._program = 0

    def _next_program(self, *index: int) -> None:
        self._program += 1
        self._has_synchronised = False
        sizes = self._builder.grid_dim
        shifted = [(at + self._shift) % size for size, at in zip(sizes, index, strict=True)]
        mirrored = [size - 1 - at for size, at in zip(sizes, shifted, strict=True)]
        self._set_grid_index(*(mirrored if self._reverse else shifted))

    def _checked(self, name: str, pointer: int, mask: int | None) -> Any:
        original = getattr(self._builder, name)
        writes = "load" not in name

        def call(*args: Any, **kwargs: object) -> Any:
            if (
                mask is not None
            ):  # a mask that was broadcast from a scalar arrives as integers, which Triton itself then refuses
                args[mask].data = args[mask].data.astype(np.bool_)
            places = self._check(args[pointer], None if mask is None else args[mask], "write" if writes else "read")
            if "atomic" in name:
                self._has_synchronised = True
            elif places is not None and not writes:
                self._check_race(*places)
            elif places is not None:
                foreign = self._foreign_memory(*places, width=_width(args[pointer]))
                result = original(*args, **kwargs)
                self._check_unchanged(foreign)
                self._note_write(*places)
                return result
            return original(*args, **kwargs)

        return call

    def _note_write(self, buffers: npt.NDArray[np.int64], offsets: npt.NDArray[np.uint64]) -> None:
        for number, places in _by_buffer(buffers, offsets):
            if number not in self._writers:
                size = int(self._ends[number] - self._starts[number])
                self._writers[number] = np.zeros(size, dtype=np.int32)
            self._writers[number][places] = self._program

    def _check_race(self, buffers: npt.NDArray[np.int64], offsets: npt.NDArray[np.uint64]) -> None:
        """Race if another program wrote here; a program that has done an atomic operation may have waited for it."""
        if any(True for _ in self._foreign(buffers, offsets)):
            raise self._race("reads")

    def _foreign_memory(
        self, buffers: npt.NDArray[np.int64], offsets: npt.NDArray[np.uint64], width: int
    ) -> list[_Bytes]:
        """What another program has written where this one is about to write."""
        bytes_of = np.arange(width, dtype=np.uint64)
        places = [(number, found[:, None] + bytes_of) for number, found in self._foreign(buffers, offsets)]
        return [(number, at, self._memory[number][at]) for number, at in places]

    def _check_unchanged(self, before: list[_Bytes]) -> None:
        """Race if a write has changed what another program wrote; writing the same again does no harm."""
        if any((self._memory[number][at] != content).any() for number, at, content in before):
            raise self._race("changes")

    def _foreign(
        self, buffers: npt.NDArray[np.int64], offsets: npt.NDArray[np.uint64]
    ) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
        """Those of these places, by buffer, where another program wrote; none after an atomic operation."""
        if self._has_synchronised or not self._writers:
            return
        for number, places in _by_buffer(buffers, offsets):
            if number in self._writers:
                found = self._writers[number][places]
                others = (found != 0) & (found != self._program)
                if others.any():
                    yield number, places[others]

    def _race(self, what: str) -> Race:
        program = tuple(int(at) for at in self._builder.grid_idx)
        return Race(
            f"kernel {self._kernel}: program {program} {what} what another program of the same launch has written, "
            f"without any atomic operation"
        )

    def _check(
        self, pointers: Any, mask: Any, what: str
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]] | None:
        """The buffers that an access goes to and the places in them; OutOfBounds if it goes elsewhere."""
        addresses = np.asarray(pointers.data)
        active = addresses if mask is None else addresses[np.broadcast_to(mask.data, addresses.shape)]
        if not active.size:
            return None
        width = _width(pointers)
        number = np.searchsorted(self._starts, active, side="right").astype(np.int64) - 1
        ends = self._ends[np.maximum(number, 0)] if self._ends.size else np.zeros(active.shape, dtype=np.uint64)
        bad = (number < 0) | (active + np.uint64(width) > ends)
        if bad.any():
            raise OutsideBuffers(
                f"kernel {self._kernel}: {int(bad.sum())} out-of-bounds {what}s of {width} bytes in program "
                f"{tuple(int(at) for at in self._builder.grid_idx)}, "
                f"{_distance(active[bad][0], self._starts, self._ends)}"
            )
        return number.ravel(), (active - self._starts[number]).ravel()


def _width(pointers: Any) -> int:
    """Bytes of the elements that these pointers point to."""
    return max(1, int(pointers.get_element_ty().primitive_bitwidth) // 8)


def _by_buffer(
    buffers: npt.NDArray[np.int64], offsets: npt.NDArray[np.uint64]
) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
    """The places in each buffer; nearly every access goes to one buffer only."""
    first = int(buffers[0])
    if (buffers == first).all():
        yield first, offsets
    else:
        for number in np.unique(buffers):
            yield int(number), offsets[buffers == number]


class _PatchOnce:
    """Triton redirects its language to the interpreter anew for every launch and every call of a kernel by a kernel.

    Doing so once per set of language modules gives the same and halves the time of small kernels.
    """

    def __init__(self) -> None:
        self._original = _triton._patch_lang
        self._scopes: dict[int, Any] = {}

    def __call__(self, function: Any) -> _PatchOnce:
        key = id(function.__globals__)
        if key not in self._scopes:
            scope = self._scopes[key] = self._original(function)
            scope.set_attr(tl, "range", device_range)
            function.__globals__["range"] = device_range
        return self

    def restore(self) -> None:
        """What a launch does at its end; the redirection stays until `undo`."""

    def undo(self) -> None:
        """Restore the language, last redirection first."""
        _triton._patch_lang = self._original
        for scope in reversed(self._scopes.values()):
            scope.restore()


def _distance(address: Any, starts: Any, ends: Any) -> str:
    if not ends.size:
        return "with no buffer at all"
    past = [int(address) - int(end) for end in ends if address >= end]
    before = [int(start) - int(address) for start in starts if address < start]
    nearest = (
        [f"{min(past)} bytes past the end of a buffer"] if past and (not before or min(past) <= min(before)) else []
    )
    return (nearest or [f"{min(before, default=0)} bytes before the start of a buffer"])[0]
