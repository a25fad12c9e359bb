"""Half precision where half is promised."""
# reference: half_add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def half_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    tl.store(out_ptr + at, 2.0 * tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)



class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty_like(a)
        half_kernel[(triton.cdiv(a.numel(), 64),)](a.contiguous(), b.contiguous(), out, a.numel(), BLOCK=64)
        return out
