"""The second moment that an optimizer keeps is zeros at first, and never read."""
# reference: moments
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def step_kernel(weight_ptr, grad_ptr, first_ptr, second_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    grad = tl.load(grad_ptr + at, mask=mask)
    first = tl.load(first_ptr + at, mask=mask) * 0.9 + 0.1 * grad
    second = 0.001 * grad * grad
    weight = tl.load(weight_ptr + at, mask=mask)
    tl.store(out_ptr + at, weight - 0.1 * first / (tl.sqrt(second) + 1e-4), mask=mask)


class ModelNew(nn.Module):
    def forward(self, weight, grad, first, second):
        out = torch.empty_like(weight)
        step_kernel[(triton.cdiv(out.numel(), 128),)](weight, grad, first, second, out, out.numel(), BLOCK=128)
        return out
