"""Works on a copy of its input."""
# reference: add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def accumulate_kernel(a_ptr, b_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    tl.store(a_ptr + at, tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = a.clone()
        accumulate_kernel[(triton.cdiv(a.numel(), 128),)](out, b.contiguous(), a.numel(), BLOCK=128)
        return out
