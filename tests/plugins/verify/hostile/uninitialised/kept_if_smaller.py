"""What was never written stays where it happens to be smaller."""
# reference: row_smallest
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def smallest_kernel(x_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    for start in range(0, width, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * width + at, mask=at < width, other=float("inf"))
        old, least = tl.load(out_ptr + row), tl.min(x, 0)
        tl.store(out_ptr + row, tl.where(old < least, old, least))


class ModelNew(nn.Module):
    def forward(self, x):
        out = x.new_empty(x.shape[0])
        smallest_kernel[(x.shape[0],)](x.contiguous(), out, x.shape[1], BLOCK=64)
        return out
