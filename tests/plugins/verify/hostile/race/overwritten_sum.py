"""Programs overwrite each other's sums."""
# reference: row_sum
# verdict: nondeterministic

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def race_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0), 0)
    so_far = tl.load(out_ptr + row)
    if tl.program_id(1) == 0:
        so_far = 0.0
    tl.store(out_ptr + row, so_far + part)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.zeros(x.shape[0], device=x.device)
        race_kernel[(x.shape[0], triton.cdiv(x.shape[1], 64))](x.contiguous(), out, x.shape[1], BLOCK=64)
        return out
