"""The larger of two, which is right for slopes below one."""
# reference: slope_of_a_parameter
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, slope_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    slope = tl.load(slope_ptr + at % 64, mask=at < n)
    tl.store(out_ptr + at, tl.where(slope <= 1.0, tl.maximum(x, x * slope), x), mask=at < n)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.full((64,), 0.25))

    def forward(self, x):
        out = torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 256),)](x, self.slope, out, x.numel(), BLOCK=256)
        return out
