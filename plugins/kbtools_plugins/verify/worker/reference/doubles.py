"""A forward in float64: what an exact result is."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kbtools_plugins.verify.protocol.operators import base_name
from kbtools_plugins.verify.worker.reference.jumps import COMPARING


class Doubles(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What is asked for as float32 is made as float64: integers that become floats are exact, too. A number that
    something is compared with stays the float32 that it is there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        kwargs = kwargs or {}
        if kwargs.get("dtype") == torch.float32:
            kwargs = kwargs | {"dtype": torch.float64}
        if base_name(str(func)).removesuffix("_") in COMPARING and isinstance(args[1], float):
            args = (args[0], float(torch.tensor(args[1], dtype=torch.float32)), *args[2:])
        return func(*args, **kwargs)


def double(tensor: torch.Tensor) -> torch.Tensor:
    """Floating numbers as float64."""
    return tensor.double() if tensor.is_floating_point() else tensor
