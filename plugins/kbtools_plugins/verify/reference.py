"""The job that runs the reference: inputs from secret seeds, outputs in float64 and float32, parameters, and decoys.

The reference is not hostile but need not be sound: whatever it cannot do is said in the reply and never held against a
candidate.
"""

from __future__ import annotations

import copy
import random
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify import cuda_shim, module
from kbtools_plugins.verify.values import Unsendable, clone_tree, encode, encode_tensor
from kbtools_plugins.verify.wire import Tree

_SCALES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "values of 1e-3": lambda tensor: tensor * 1e-3,
    "values of 1e3": lambda tensor: tensor * 1e3,
    "zeros": torch.zeros_like,
    "negative values": lambda tensor: -tensor.abs(),
}


def warm_up() -> None:
    """Everything is imported with this module."""
    torch.set_num_threads(1)


def run(job: dict[str, Tree], send: Callable[[Tree], None]) -> Tree:
    """All that the caller needs to judge a candidate, or `failed: reference_error`."""
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with cuda_shim.installed(), torch.no_grad():
            return _Reference(job).describe()
    except Unsendable as error:
        return {
            "failed": "unsupported:init_inputs",
            "error": f"the reference is constructed from {error}, which cannot be sent",
        }
    except Exception as error:  # noqa: BLE001 - any fault of the reference is reported as one
        text = "".join(traceback.format_exception(error))[-2000:]
        return {"failed": "reference_error", "error": text}


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the names of the operators a forward uses."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func))
        return func(*args, **(kwargs or {}))


class _Reference:
    def __init__(self, job: dict[str, Tree]) -> None:
        self._seeds: list[int] = job["seeds"]
        self._decoys: list[int] = job["decoy_seeds"]
        self._limit: int = job["most_elements"]
        self._module = module.load(job["code"], "reference")
        self._entry = getattr(self._module, job["entry"])
        given = self._module.get_init_inputs() if hasattr(self._module, "get_init_inputs") else []
        self._args, self._kwargs = module.split_init_inputs(given)
        self._init = encode((self._args, self._kwargs))
        self._instance = self._construct()

    def describe(self) -> Tree:
        """The reply of the job."""
        first = self._inputs(self._seeds[0])
        if self._limit and (count := self._elements(first)) > self._limit:
            return {"failed": "too_large", "error": f"inputs and parameters have {count:,} elements"}
        modes = {mode: self._mode(mode, first) for mode in self._modes()}
        main = next((mode for mode, found in modes.items() if not found["random"]), None)
        if main is None:
            return {"failed": "reference_unfit:random", "error": "two runs on equal inputs gave different outputs"}
        sets = list(self._sets(first, main))
        state = self._instance.state_dict() if isinstance(self._instance, torch.nn.Module) else {}
        return {
            "init": self._init,
            "state": {name: encode_tensor(tensor) for name, tensor in state.items()},
            "modes": modes,
            "main": main,
            "sets": sets,
            "control": encode(self._forward(self._construct(copy_from=self._instance), main, clone_tree(first))),
            "decoys": [encode(self._inputs(seed)) for seed in self._decoys],
            "variants": {
                name: found for name, change in _VARIANTS.items() if (found := self._variant(change, main)) is not None
            },
        }

    def _construct(self, copy_from: Any = None) -> Any:
        instance = module.construct(self._entry, copy.deepcopy(self._args), copy.deepcopy(self._kwargs))
        if isinstance(copy_from, torch.nn.Module):
            module.copy_state(instance, copy_from.state_dict())
        return instance

    def _elements(self, inputs: tuple[Any, ...]) -> int:
        tensors = [leaf for leaf in tree_flatten(inputs)[0] if isinstance(leaf, torch.Tensor)]
        parameters = list(self._instance.parameters()) if isinstance(self._instance, torch.nn.Module) else []
        return sum(tensor.numel() for tensor in [*tensors, *parameters])

    def _modes(self) -> list[str]:
        return ["train", "eval"] if isinstance(self._instance, torch.nn.Module) else ["train"]

    def _inputs(self, seed: int) -> tuple[Any, ...]:
        torch.manual_seed(seed)
        random.seed(seed)
        given = self._module.get_inputs()
        inputs = tuple(given) if isinstance(given, list | tuple) else (given,)
        if seed != self._seeds[0] and _same(inputs, self._inputs(self._seeds[0])):
            return tuple(tree_map_only(torch.Tensor, _varied, inputs))
        return inputs

    def _mode(self, mode: str, inputs: tuple[Any, ...]) -> Tree:
        with _Operators() as operators:
            one = self._forward(self._instance, mode, clone_tree(inputs))
        other = self._forward(self._instance, mode, clone_tree(inputs))
        return {"random": not _same(one, other), "operators": sorted(operators.names), "outputs": encode(one)}

    def _sets(self, first: tuple[Any, ...], mode: str) -> Iterator[Tree]:
        yield self._expect("seed 1", first, mode)
        for number, seed in enumerate(self._seeds[1:], 2):
            other = _with_plain_values_of(first, self._inputs(seed))
            yield self._expect(f"seed {number}", other, mode)
        for name, change in _SCALES.items():
            scaled = _map_floats(change, first)
            if scaled is not None and (found := self._try(name, scaled, mode)) is not None:
                yield found

    def _variant(self, change: Callable[[tuple[Any, ...]], tuple[Any, ...] | None], mode: str) -> Tree | None:
        """Other shapes or layouts of decoys and of inputs that count, if the reference takes them."""
        changed, decoy = change(self._inputs(self._seeds[0])), change(self._inputs(self._decoys[0]))
        if changed is None or decoy is None:
            return None
        found = self._try("variant", changed, mode)
        return None if found is None else {"decoy": encode(decoy), "set": found}

    def _try(self, name: str, inputs: tuple[Any, ...], mode: str) -> Tree | None:
        try:
            found = self._expect(name, inputs, mode)
        except Exception:  # noqa: BLE001 - the reference need not take such inputs
            return None
        return found if found["finite"] else None

    def _expect(self, name: str, inputs: tuple[Any, ...], mode: str) -> Tree:
        given = clone_tree(inputs)
        plain = self._forward(self._instance, mode, given)
        tensors = [leaf for leaf in tree_flatten(inputs)[0] if isinstance(leaf, torch.Tensor)]
        after = [leaf for leaf in tree_flatten(given)[0] if isinstance(leaf, torch.Tensor)]
        return {
            "name": name,
            "inputs": encode(inputs),
            "tensors": [encode_tensor(tensor) for tensor in tensors],
            "plain": encode(plain),
            "exact": encode(self._exact(mode, inputs, plain)),
            "after": [
                None if _same(before, now) else encode_tensor(now) for before, now in zip(tensors, after, strict=True)
            ],
            "finite": all(
                bool(leaf.isfinite().all()) for leaf in tree_flatten(plain)[0] if isinstance(leaf, torch.Tensor)
            ),
        }

    def _exact(self, mode: str, inputs: tuple[Any, ...], plain: Any) -> Any:
        """Outputs computed in float64, or the plain ones where the reference has no float64 path."""
        wide = copy.deepcopy(self._instance).double() if isinstance(self._instance, torch.nn.Module) else self._instance
        try:
            outputs = self._forward(wide, mode, tree_map_only(torch.Tensor, _double, clone_tree(inputs)))
        except Exception:  # noqa: BLE001
            return plain
        same_shapes = [getattr(leaf, "shape", None) for leaf in tree_flatten(outputs)[0]] == [
            getattr(leaf, "shape", None) for leaf in tree_flatten(plain)[0]
        ]
        return outputs if same_shapes else plain

    def _forward(self, instance: Any, mode: str, inputs: tuple[Any, ...]) -> Any:
        used = copy.deepcopy(instance) if isinstance(instance, torch.nn.Module) else instance
        module.set_mode(used, mode)
        return used(*inputs)


def _varied(tensor: torch.Tensor) -> torch.Tensor:
    """Other values of the same kind for inputs that `get_inputs()` fixes: signs, zeros and the set of integers stay."""
    if tensor.is_floating_point():
        return tensor * (0.5 + torch.rand_like(tensor))
    if tensor.dim() and not tensor.is_complex():
        return tensor.flatten()[torch.randperm(tensor.numel())].view(tensor.shape)
    return tensor


def _double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _same(one: Any, other: Any) -> bool:
    ones, others = tree_flatten(one)[0], tree_flatten(other)[0]
    return len(ones) == len(others) and all(
        torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) if isinstance(a, torch.Tensor) else bool(a == b)
        for a, b in zip(ones, others, strict=True)
    )


def _with_plain_values_of(first: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    """The other inputs' tensors with the first ones' numbers and strings: a trace is made for these."""
    ones, spec = tree_flatten(first)
    others = tree_flatten(other)[0]
    if [getattr(leaf, "shape", None) for leaf in ones] != [getattr(leaf, "shape", None) for leaf in others]:
        raise ValueError(
            "get_inputs() gives other shapes each time it is called; they must be the same for a comparison"
        )
    merged = [b if isinstance(b, torch.Tensor) else a for a, b in zip(ones, others, strict=True)]
    return tuple(torch.utils._pytree.tree_unflatten(merged, spec))


def _map_floats(change: Callable[[torch.Tensor], torch.Tensor], inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    leaves, spec = tree_flatten(inputs)
    if not any(isinstance(leaf, torch.Tensor) and leaf.is_floating_point() for leaf in leaves):
        return None
    changed = [change(leaf) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf for leaf in leaves]
    return tuple(torch.utils._pytree.tree_unflatten(changed, spec))


def _longer_batch(inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """One more row in every tensor whose first size is that of the first tensor."""
    leaves, spec = tree_flatten(inputs)
    sizes = [leaf.shape[0] for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.dim() > 1]
    if not sizes:
        return None
    grown = [
        torch.cat([leaf, leaf[:1]])
        if isinstance(leaf, torch.Tensor) and leaf.dim() > 1 and leaf.shape[0] == sizes[0]
        else leaf
        for leaf in leaves
    ]
    return tuple(torch.utils._pytree.tree_unflatten(grown, spec))


def _other_layout(inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Every floating tensor of two or more dimensions with its last two dimensions swapped in memory."""
    leaves, spec = tree_flatten(inputs)
    changed = [
        leaf.transpose(-1, -2).contiguous().transpose(-1, -2)
        if isinstance(leaf, torch.Tensor) and leaf.dim() > 1 and leaf.is_floating_point()
        else leaf
        for leaf in leaves
    ]
    if all(new is old or new.stride() == old.stride() for new, old in zip(changed, leaves, strict=True)):
        return None
    return tuple(torch.utils._pytree.tree_unflatten(changed, spec))


_VARIANTS = {"shape": _longer_batch, "layout": _other_layout}
