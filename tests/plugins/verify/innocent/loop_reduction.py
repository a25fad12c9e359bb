"""A loop inside the kernel."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def loop_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = 0.0
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        total += tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0))
    tl.store(out_ptr + row, total)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0], device=x.device, dtype=x.dtype)
        loop_kernel[(x.shape[0],)](x.contiguous(), out, x.shape[1], BLOCK=64)
        return out
