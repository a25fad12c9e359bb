"""Softmax without the maximum: right until a value is large."""
# reference: softmax
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl



@triton.jit
def softmax_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    mask = at < columns
    e = tl.exp(tl.load(x_ptr + tl.program_id(0) * columns + at, mask=mask, other=-float("inf")))
    tl.store(out_ptr + tl.program_id(0) * columns + at, e / tl.sum(e, 0), mask=mask)


class ModelNew(nn.Module):
    def forward(self, x):
        x, out = x.contiguous(), torch.empty_like(x)
        softmax_kernel[(x.numel() // x.shape[-1],)](x, out, x.shape[-1], BLOCK=triton.next_power_of_2(x.shape[-1]))
        return out
