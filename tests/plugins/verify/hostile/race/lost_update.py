"""Each program adds its part by a load and a store: in any order one after the other it is right, at once it is not."""
# reference: row_sum
# verdict: nondeterministic

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def part_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0), 0)
    tl.store(out_ptr + row, tl.load(out_ptr + row) + part)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.zeros(x.shape[0], device=x.device)
        part_kernel[(x.shape[0], triton.cdiv(x.shape[1], 16))](x.contiguous(), out, x.shape[1], BLOCK=16)
        return out
