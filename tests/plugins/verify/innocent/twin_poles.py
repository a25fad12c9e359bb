"""Right on both sides of zero."""
# reference: poles
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0.5)
    tl.store(out_ptr + at, 1.0 / (x - tl.floor(x) + tl.where(x > 0, 1.0, 0.0)), mask=at < n)


class Model(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        k[(1,)](x, out, x.numel(), BLOCK=triton.next_power_of_2(x.numel()))
        return out
