"""What torch makes of the parameter is as large as a thirtieth of the input and more."""
# reference: weight_of_places
# verdict: fallback

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def times_kernel(x_ptr, factor_ptr, out_ptr, pixels, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask) * tl.load(factor_ptr + at % pixels, mask=mask)
    tl.store(out_ptr + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size))

    def forward(self, x):
        factor = self.weight * self.weight + 1.0
        x = x.contiguous()
        out = torch.empty_like(x)
        times_kernel[(triton.cdiv(x.numel(), 128),)](x, factor, out, factor.numel(), x.numel(), BLOCK=128)
        return out
