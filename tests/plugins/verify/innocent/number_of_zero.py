"""A number among the inputs that is zero is added."""
# reference: shifted_by_a_number
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, out_ptr, shift, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(out_ptr + at, tl.maximum(x, 0.0) * 2.0 + shift, mask=at < n)


class ModelNew(nn.Module):
    def forward(self, x, shift):
        out = torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 256),)](x, out, shift, x.numel(), BLOCK=256)
        return out
