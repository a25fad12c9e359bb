"""The first place of each row is left out of its minimum."""
# reference: smallest
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def min_kernel(x_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    first = 1
    x = tl.load(x_ptr + row * width + at, mask=(at >= first) & (at < width), other=float("inf"))
    tl.store(out_ptr + row, tl.min(x, 0))


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0], device=x.device)
        min_kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=512)
        return out
