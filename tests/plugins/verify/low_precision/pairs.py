"""What a pair is, and the texts that are made of one: a reference, a right kernel, and its hostile twin."""

from __future__ import annotations

from dataclasses import dataclass, replace

_REFERENCE = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, {names}):
        {forward}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""
_CANDIDATE = """
import torch
import torch.nn as nn
import triton
import triton.language as tl

@triton.jit
{kernel}

class ModelNew(nn.Module):
    def forward(self, {names}):
        {launch}
"""
_TYPES = {
    "bf16": ("torch.bfloat16", "tl.bfloat16"),
    "fp16": ("torch.float16", "tl.float16"),
    "e4m3": ("torch.float8_e4m3fn", "tl.float8e4nv"),
    "e5m2": ("torch.float8_e5m2", "tl.float8e5"),
}


@dataclass(frozen=True)
class LowPrecision:
    """A computation, a kernel that does it, and the change that makes it wrong. HOST and TL stand for the type."""

    name: str
    inputs: dict[str, str]
    forward: str
    kernel: str
    launch: str
    trick: tuple[tuple[str, str], ...]
    """Replacements that make the hostile twin."""
    wrong: str
    """accumulation, scale, rescale or saturation."""
    dtype: str = ""

    def of(self, *dtypes: str) -> list[LowPrecision]:
        """The same for each of these types."""
        return [replace(self, name=f"{self.name}_{dtype}", dtype=dtype) for dtype in dtypes]

    def reference(self) -> str:
        """The text of the reference."""
        return self._typed(
            _REFERENCE.format(
                names=", ".join(self.inputs), forward=self.forward, inputs=", ".join(self.inputs.values())
            )
        )

    def candidate(self, *, hostile: bool) -> str:
        """The text of the right kernel, or of its twin."""
        kernel, launch = self.kernel.strip(), self.launch
        for old, new in self.trick if hostile else ():
            if old not in kernel + launch:
                raise ValueError(f"{self.name} has no {old!r}")
            kernel, launch = kernel.replace(old, new), launch.replace(old, new)
        return self._typed(_CANDIDATE.format(names=", ".join(self.inputs), kernel=kernel, launch=launch))

    def _typed(self, text: str) -> str:
        host, device = _TYPES.get(self.dtype, ("", ""))
        return text.replace("HOST", host).replace("TL", device)
