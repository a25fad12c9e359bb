"""Softmax with the maximum of the first eight: right while all are about as large."""
# reference: softmax
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def softmax_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.program_id(0) * columns
    mask = at < columns
    largest = tl.max(tl.load(x_ptr + row + tl.arange(0, 8)), 0)
    e = tl.exp(tl.load(x_ptr + row + at, mask=mask, other=-float("inf")) - largest)
    tl.store(out_ptr + row + at, e / tl.sum(e, 0), mask=mask)


class ModelNew(nn.Module):
    def forward(self, x):
        x, out = x.contiguous(), torch.empty_like(x)
        softmax_kernel[(x.numel() // x.shape[-1],)](x, out, x.shape[-1], BLOCK=triton.next_power_of_2(x.shape[-1]))
        return out
