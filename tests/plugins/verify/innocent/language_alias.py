"""triton.language under another name, jit imported by name."""
# reference: add
# verdict: pass

import torch
import torch.nn as nn
import triton.language as T
from triton import cdiv, jit


@jit
def add_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: T.constexpr):
    at = T.program_id(axis=0) * BLOCK + T.arange(0, BLOCK)
    mask = at < total
    T.store(out_ptr + at, T.load(a_ptr + at, mask=mask) + T.load(b_ptr + at, mask=mask), mask=mask)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty_like(a)
        add_kernel[(cdiv(a.numel(), 128),)](a.contiguous(), b.contiguous(), out, a.numel(), BLOCK=128)
        return out
