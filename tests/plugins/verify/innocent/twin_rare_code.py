"""Some threads of a warp take code that a compiler puts at the end, and come back for the sum."""
# reference: powers
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def power_kernel(x_ptr, y_ptr, out_ptr, size, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * size + at, mask=at < size, other=0.0)
    y = tl.load(y_ptr + row * size + at, mask=at < size, other=1.0)
    tl.store(out_ptr + row, tl.sum(libdevice.pow(tl.abs(x), y)))


class ModelNew(nn.Module):
    def forward(self, x, y):
        out = x.new_empty(x.shape[0])
        power_kernel[(x.shape[0],)](x, y, out, x.shape[1], BLOCK=256)
        return out
