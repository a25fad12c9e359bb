"""Widens its inputs by torch, a cast being no work."""
# reference: half_add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def wide_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    tl.store(out_ptr + at, 2.0 * tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)



class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.float().contiguous(), b.float().contiguous()
        out = torch.empty_like(a)
        wide_kernel[(triton.cdiv(a.numel(), 128),)](a, b, out, a.numel(), BLOCK=128)
        return out.half()
