"""Writes into the tensor that it is given for the result; called again, it writes what is there but for rounding."""
# reference: out_argument
# verdict: pass

import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def exp_kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask)
    tl.store(out_ptr + at, tl.exp(tl.sigmoid(x) * 3.0), mask=mask)


class ModelNew(nn.Module):
    def forward(self, x, out):
        exp_kernel[(triton.cdiv(x.numel(), 128),)](x, out, x.numel(), BLOCK=128)
        return out
