"""A factor and a term for each channel are prepared of parameters and buffers."""
# reference: known_statistics
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, factor_ptr, term_ptr, out_ptr, channels, pixels, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    channel = at // pixels % channels
    x = tl.load(x_ptr + at, mask=mask)
    y = x * tl.load(factor_ptr + channel, mask=mask) + tl.load(term_ptr + channel, mask=mask)
    tl.store(out_ptr + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.randn(channels))
        self.register_buffer("variance", torch.rand(channels) + 0.5)

    def forward(self, x):
        factor = self.weight / torch.sqrt(self.variance + 1e-5)
        term = self.bias - self.mean * factor
        x = x.contiguous()
        out = torch.empty_like(x)
        channels, pixels, total = x.shape[1], x.shape[2] * x.shape[3], x.numel()
        scale_kernel[(triton.cdiv(total, 128),)](x, factor, term, out, channels, pixels, total, BLOCK=128)
        return out
