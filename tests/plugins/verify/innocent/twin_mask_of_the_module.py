"""The mask and the scale that a module keeps are read."""
# reference: kept_places
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def keep_kernel(x_ptr, kept_ptr, scale_ptr, out_ptr, n, width, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    x = tl.load(x_ptr + at, mask=mask)
    kept = tl.load(kept_ptr + at % width, mask=mask) != 0
    x = x * tl.load(scale_ptr)
    tl.store(out_ptr + at, tl.where(kept, x, 0.0), mask=mask)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.ones(40, dtype=torch.bool))
        self.register_buffer("scale", torch.tensor(1.0))

    def forward(self, x):
        out = torch.empty_like(x)
        keep_kernel[(triton.cdiv(x.numel(), 128),)](x, self.kept, self.scale, out, x.numel(), x.shape[1], BLOCK=128)
        return out
