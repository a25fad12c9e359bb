import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def conv1x1(x_ptr, w_ptr, b_ptr, y_ptr, channels, size, slope, BLOCK: tl.constexpr):
    n, o = tl.program_id(0), tl.program_id(1)
    p = tl.arange(0, BLOCK)
    mask = p < size
    z = tl.zeros([BLOCK], dtype=tl.float32) + tl.load(b_ptr + o)
    for k in range(channels)
        x = tl.load(x_ptr + (n * channels + k) * size + p, mask=mask, other=0.0)
        z += x * tl.load(w_ptr + o * channels + k)
    here = (n * channels + o) * size + p
    x = tl.load(x_ptr + here, mask=mask, other=0.0)
    tl.store(y_ptr + here, x + tl.where(z > 0, z, z * slope), mask=mask)


class BlockNew(nn.Module):
    def __init__(self, channels, slope=0.1):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)
        self.slope = slope

    def forward(self, x):
        n, c, h, w = x.shape
        y = torch.empty_like(x)
        conv1x1[(n, c)](x, self.conv.weight, self.conv.bias, y, c, h * w, self.slope, BLOCK=32)
        return y
