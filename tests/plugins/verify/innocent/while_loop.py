"""A while loop in the kernel."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def while_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    start = 0
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    while start < columns:
        at = start + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0)
        start += BLOCK
    tl.store(out_ptr + row, tl.sum(total, 0))


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0], device=x.device, dtype=x.dtype)
        while_kernel[(x.shape[0],)](x.contiguous(), out, x.shape[1], BLOCK=64)
        return out
