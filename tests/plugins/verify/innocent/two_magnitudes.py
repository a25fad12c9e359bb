"""Both halves of the output are computed, one a million times as large as the other."""
# reference: loud_columns
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def columns_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < columns
    row = tl.program_id(0)
    x = tl.load(x_ptr + row * columns + at, mask=inside, other=0.0)
    small = tl.exp(-2.0 * tl.abs(x))
    hyperbolic = (1.0 - small) / (1.0 + small)
    tl.store(out_ptr + row * 2 * columns + at, x * 1e6, mask=inside)
    tl.store(out_ptr + row * 2 * columns + columns + at, tl.where(x < 0, -hyperbolic, hyperbolic), mask=inside)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty(x.shape[0], 2 * x.shape[1], device=x.device)
        columns_kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=32)
        return out
