"""A reference that is built from a configuration."""
# reference: config
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def tanh_kernel(x_ptr, out_ptr, scale, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask) * scale
    e = tl.exp(-2.0 * tl.abs(x))
    y = (1.0 - e) / (1.0 + e)
    tl.store(out_ptr + at, tl.where(x < 0, -y, y), mask=mask)


class ScaledNew(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.scale = config.scale

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        tanh_kernel[(triton.cdiv(x.numel(), 128),)](x, out, self.scale, x.numel(), BLOCK=128)
        return out
