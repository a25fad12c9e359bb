"""Whole numbers that a module keeps, which are added."""
# reference: offsets_of_zeros
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, out_ptr, offsets_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(out_ptr + at, tl.sin(x) + tl.load(offsets_ptr + at % 64, mask=at < n).to(tl.float32), mask=at < n)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("offsets", torch.zeros(64, dtype=torch.int64))

    def forward(self, x):
        out = torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 256),)](x, out, self.offsets, x.numel(), BLOCK=256)
        return out
