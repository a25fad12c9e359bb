"""The constant that the kernel sees is bound anew in a branch that is always taken."""
# reference: twice_and_one
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


FACTOR = tl.constexpr(2.0)
if FACTOR.value > 1.0:
    FACTOR = tl.constexpr(3.0)


@triton.jit
def line_kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < total) * FACTOR + 1.0, mask=at < total)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        line_kernel[(triton.cdiv(x.numel(), 128),)](x.contiguous(), out, x.numel(), BLOCK=128)
        return out
