"""Zeroes its output by torch before accumulating."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def atomic_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + tl.program_id(0) * columns + at, mask=at < columns, other=0.0)
    tl.atomic_add(out_ptr + tl.program_id(0), tl.sum(x, 0))


class ModelNew(nn.Module):
    def forward(self, x):
        out = x.new_empty(x.shape[0])
        out.zero_()
        atomic_kernel[(x.shape[0], triton.cdiv(x.shape[1], 128))](x.contiguous(), out, x.shape[1], BLOCK=128)
        return out
