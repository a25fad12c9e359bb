"""The grid is that of the first configuration, so the last one does half of the work."""
# reference: add
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.autotune(configs=[triton.Config({"BLOCK": size}) for size in (64, 32)], key=["total"])
@triton.jit
def auto_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    tl.store(out_ptr + at, tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty_like(a)
        auto_kernel[(triton.cdiv(out.numel(), 64),)](a.contiguous(), b.contiguous(), out, out.numel())
        return out
