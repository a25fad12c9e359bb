"""Which bytes of a trace's memory were ever written, so that what depends on others is seen whatever they hold.

Kernels keep the marks of what they write (kbtools_plugins.ptx follows values that were not written through registers).
Here are the marks of whole buffers, of views of them, and of what torch's operators make of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kbtools_plugins.ptx.faults import UNKNOWN
from kbtools_plugins.verify.protocol.trace import TensorRef
from kbtools_plugins.verify.worker.replay.poison import Unwritten
from kbtools_plugins.verify.worker.tensors import widened

Bits = npt.NDArray[np.uint8]


class WrittenBytes:
    """A mark for each byte of each storage: 1 if it was written."""

    def __init__(self) -> None:
        self._of: dict[int, Bits] = {}

    def begin(self, storage: int, size: int, *, written: bool) -> None:
        """Memory that was just made."""
        self._of[storage] = np.full(size, written, dtype=np.uint8)

    def put(self, storage: int, marks: Bits) -> None:
        """The marks that a launch has made."""
        self._of[storage] = marks

    def of(self, storage: int) -> Bits:
        """The marks of a storage; a launch changes them in place."""
        return self._of[storage]

    def knows(self, storage: int) -> bool:
        """Whether the storage is there."""
        return storage in self._of

    def write(self, ref: TensorRef, unwritten: torch.Tensor | None = None) -> None:
        """A view was written, but for elements that were made from what was `unwritten`."""
        view = self._bytes(ref)
        once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in view.stride())
        if unwritten is None:
            view[once] = 1
        else:
            view[once] = (~unwritten).to(torch.uint8).unsqueeze(-1).expand(view.shape)[once]

    def unwritten(self, ref: TensorRef) -> torch.Tensor | None:
        """For each element of a view whether any of its bytes was never written; None if all were."""
        if self._of[ref.storage].all():
            return None
        missing = (self._bytes(ref) == 0).any(-1)
        return missing if bool(missing.any()) else None

    def elements(self, ref: TensorRef) -> bytes:
        """A bit for each element of a view: whether all its bytes were written; none where the storage is not known."""
        if not self.knows(ref.storage):
            return np.packbits(np.zeros(ref.shape, np.bool_)).tobytes()
        return np.packbits((self._bytes(ref) != 0).all(-1).numpy()).tobytes()

    def require(self, ref: TensorRef, what: str) -> None:
        """Unwritten if an element of the view is not the launches' or torch's work."""
        if (missing := self.unwritten(ref)) is not None:
            first = [int(at) for at in missing.nonzero()[0]]
            raise Unwritten(
                f"{what} depends on {UNKNOWN}, in {int(missing.sum())} of {missing.numel()} elements, first at {first}"
            )

    def _bytes(self, ref: TensorRef) -> torch.Tensor:
        """The marks of a view, with one more dimension for the bytes of an element."""
        width = getattr(torch, ref.dtype).itemsize
        strides = [stride * width for stride in ref.stride]
        whole = torch.from_numpy(self._of[ref.storage])
        return whole.as_strided([*ref.shape, width], [*strides, 1], ref.offset * width)


def moved(operator: Callable[..., Any], fill: Callable[[bool], tuple[Any, Any]]) -> torch.Tensor:
    """For each element of what a copying operator makes, whether it comes from one that was never written.

    `fill` gives the operator's arguments with ones or zeros in the place of such elements: the results differ there.
    """
    results: list[torch.Tensor] = [operator(*args, **kwargs) for args, kwargs in (fill(True), fill(False))]
    return widened(results[0]) != widened(results[1])
