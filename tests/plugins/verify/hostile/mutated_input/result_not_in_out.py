"""Returns the right values and leaves half of them in the tensor that it is given for the result."""
# reference: out_argument
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def exp_kernel(x_ptr, out_ptr, given_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask)
    result = tl.exp(tl.sigmoid(x) * 3.0)
    tl.store(out_ptr + at, result, mask=mask)
    tl.store(given_ptr + at, result * 0.5, mask=mask)


class ModelNew(nn.Module):
    def forward(self, x, out):
        made = torch.empty_like(x)
        exp_kernel[(triton.cdiv(x.numel(), 128),)](x, made, out, x.numel(), BLOCK=128)
        return made
