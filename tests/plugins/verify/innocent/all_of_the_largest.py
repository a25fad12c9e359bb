"""All elements that are as large as the largest."""
# reference: all_of_the_largest
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    there = tl.program_id(0) * columns + at
    x = tl.load(x_ptr + there, mask=at < columns, other=-float("inf"))
    tl.store(out_ptr + there, tl.where(x == tl.max(x, 0), x, 0.0), mask=at < columns)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        k[(x.shape[0],)](x, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
