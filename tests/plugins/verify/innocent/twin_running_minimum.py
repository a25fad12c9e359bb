"""The same from infinity."""
# reference: row_smallest
# verdict: pass

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
        tl.store(out_ptr + row, tl.minimum(tl.load(out_ptr + row), tl.min(x, 0)))
        tl.debug_barrier()  # the next step's load is of all warps


class ModelNew(nn.Module):
    def forward(self, x):
        out = x.new_full((x.shape[0],), float("inf"))
        smallest_kernel[(x.shape[0],)](x.contiguous(), out, x.shape[1], BLOCK=64)
        return out
