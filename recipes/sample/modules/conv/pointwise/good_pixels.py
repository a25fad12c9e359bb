import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def pointwise_residual(x_ptr, w_ptr, b_ptr, y_ptr, channels, size, slope, C: tl.constexpr, P: tl.constexpr):
    n = tl.program_id(0)
    p = tl.program_id(1) * P + tl.arange(0, P)[None, :]
    o = tl.arange(0, C)[:, None]
    k = tl.arange(0, C)
    base = x_ptr + n * channels * size
    x = tl.load(base + k[:, None] * size + p, mask=(k[:, None] < channels) & (p < size), other=0.0)
    w = tl.load(w_ptr + o * channels + k[None, :], mask=(o < channels) & (k[None, :] < channels), other=0.0)
    z = tl.dot(w, x, input_precision="ieee") + tl.load(b_ptr + o, mask=o < channels, other=0.0)
    y = x + tl.where(z > 0, z, z * slope)
    tl.store(y_ptr + n * channels * size + o * size + p, y, mask=(o < channels) & (p < size))


class BlockNew(nn.Module):
    def __init__(self, channels, slope=0.1):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)
        self.slope = slope

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.contiguous()
        y = torch.empty_like(x)
        grid = (n, triton.cdiv(h * w, 16))
        pointwise_residual[grid](
            x, self.conv.weight, self.conv.bias, y, c, h * w, self.slope, C=16, P=16
        )
        return y
