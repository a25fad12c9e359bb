import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def prelu_kernel(x_ptr, w_ptr, out_ptr, channels, size, BLOCK: tl.constexpr):
    plane = tl.program_id(0)
    offs = tl.arange(0, BLOCK)
    mask = offs < size
    slope = tl.load(w_ptr)
    x = tl.load(x_ptr + plane * size + offs, mask=mask)
    tl.store(out_ptr + plane * size + offs, tl.where(x >= 0, x, slope * x), mask=mask)


class PReLUNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.05, 0.5, channels))

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.contiguous()
        out = torch.empty_like(x)
        prelu_kernel[(n * c,)](x, self.weight, out, c, h * w, BLOCK=triton.next_power_of_2(h * w))
        return out
