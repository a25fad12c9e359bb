"""The job that cuts sizes: constants are halved while the reference still takes tensors that have no memory.

The one that saves most is halved first, none below its floor. What is too large to be run is so never run here either.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify.candidate import shrink
from kbtools_plugins.verify.protocol.reading import Shapes, ShrinkJob, ShrinkReply, Sized
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker import cuda_shim, loading
from kbtools_plugins.verify.worker.nowhere import Nowhere
from kbtools_plugins.verify.worker.tensors import encode

_MOST_RECORDED = 2**28
"""Elements that a recording has address space for; their memory is never touched."""
_LEAST_SIZE, _LEAST = 8, 2
"""What is below the first is a kernel's width, a number of dimensions or the like; sizes go down to the second."""


def warm_up() -> None:
    """Everything is imported with this module."""


def run(job: ShrinkJob, talk: Talk) -> ShrinkReply | RoleFailure:
    """A pair whose tensors have few enough elements, or a failure `too_large`."""
    with cuda_shim.installed(), torch.no_grad():
        return _Search(job).reply()


class _Search:
    def __init__(self, job: ShrinkJob) -> None:
        self._job = job
        self._asked = shrink.constants(job.reference)
        self._runs = self._takes(self._asked)

    def reply(self) -> ShrinkReply | RoleFailure:
        """The smallest cuts that are enough, and those below which nothing need be cut to be recorded."""
        _, count = self._shapes(self._asked, run=self._runs)
        large, count = self._cut(self._asked, count, self._job.most_elements if self._job.far else _MOST_RECORDED)
        values, count = self._cut(large, count, self._job.most_elements)
        if count > self._job.most_elements:
            return RoleFailure(failed="too_large", error=f"inputs, parameters and outputs have {count:,} elements")
        return ShrinkReply(large=self._sized(large), cut=self._sized(values), asked=self._asked)

    def _cut(self, values: dict[str, int], count: int, most: int) -> tuple[dict[str, int], int]:
        """Constants with which there are at most so many elements, or as few as can be."""
        stuck = set[str]()
        while count > most:
            tried = {name: self._count(self._halved(values, name)) for name in self._candidates(values) - stuck}
            stuck |= {name for name, found in tried.items() if found is None}
            able = {name: found for name, found in tried.items() if found is not None and found < count}
            if not able:
                break
            best = min(able, key=lambda name: (able[name], -values[name], name))
            values, count = self._halved(values, best), able[best]
        return values, count

    def _sized(self, values: dict[str, int]) -> Sized:
        job = self._job
        shapes, _ = self._shapes(values, run=False)
        reference = shrink.with_constants(job.reference, values, self._asked)
        if job.far:
            shapes = shapes.model_copy(update={"inputs": encode(_as_tuple(_with_whole_numbers(reference)))})
        return Sized(
            reference=reference,
            candidate=shrink.with_constants(job.candidate, values, self._asked),
            shapes=shapes,
            values=values,
        )

    def _candidates(self, values: dict[str, int]) -> set[str]:
        sizes = [name for name, known in self._asked.items() if known >= _LEAST_SIZE]
        return {name for name in sizes if values[name] // 2 >= self._job.floors.get(name, _LEAST)}

    def _halved(self, values: dict[str, int], name: str) -> dict[str, int]:
        return {**values, name: values[name] // 2}

    def _takes(self, values: dict[str, int]) -> bool:
        try:
            self._shapes(values, run=True)
        except Exception:  # noqa: BLE001 - a forward that looks at values cannot be run on tensors without any
            return False
        return True

    def _count(self, values: dict[str, int]) -> int | None:
        """Elements with these constants, None if the reference does not work with them."""
        try:
            return self._shapes(values, run=self._runs)[1]
        except Exception:  # noqa: BLE001 - sizes that the reference does not take
            return None

    def _shapes(self, values: dict[str, int], *, run: bool) -> tuple[Shapes, int]:
        code = shrink.with_constants(self._job.reference, values, self._asked)
        with torch.device("meta"):
            module = loading.load(code, "reference")
            given = module.get_init_inputs() if hasattr(module, "get_init_inputs") else []
            args, kwargs = loading.split_init_inputs(given)
            instance = loading.construct(getattr(module, self._job.entry), args, kwargs)
            inputs = module.get_inputs()
            outputs = instance(*inputs) if run else []
        parameters = list(instance.parameters()) if isinstance(instance, torch.nn.Module) else []
        leaves = tree_flatten([inputs, parameters, outputs])[0]
        count = sum(leaf.numel() for leaf in leaves if isinstance(leaf, torch.Tensor))
        return Shapes(init=encode((args, kwargs)), inputs=encode(_as_tuple(inputs))), count


def _with_whole_numbers(code: str) -> Any:
    """Inputs that have values only where these may be places: in small tensors of integers and truth values."""
    with (nowhere := Nowhere()):
        inputs = loading.load(code, "reference").get_inputs()

    def form(tensor: torch.Tensor) -> torch.Tensor:
        if not (tensor.is_floating_point() or tensor.is_complex() or nowhere.holds(tensor)):
            return tensor
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")

    return tree_map_only(torch.Tensor, form, inputs)


def _as_tuple(inputs: Any) -> tuple[Any, ...]:
    return tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
