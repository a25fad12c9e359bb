"""Integers that are truth values become truth values by a cast."""
# reference: integer_mask
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, mask_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < total
    x = tl.load(x_ptr + at, mask=inside)
    chosen = tl.load(mask_ptr + at, mask=inside, other=False)
    tl.store(out_ptr + at, tl.where(chosen, x * 2.0, x), mask=inside)


class ModelNew(nn.Module):
    def forward(self, x, mask):
        x, mask = x.contiguous(), mask.to(torch.bool)
        out = torch.empty_like(x)
        scale_kernel[(triton.cdiv(x.numel(), 128),)](x, mask, out, x.numel(), BLOCK=128)
        return out
