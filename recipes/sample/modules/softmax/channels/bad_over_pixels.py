import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def channel_softmax(x_ptr, out_ptr, channels, size, scale, C: tl.constexpr, P: tl.constexpr):
    n = tl.program_id(0)
    p = tl.program_id(1) * P + tl.arange(0, P)[None, :]
    c = tl.arange(0, C)[:, None]
    offs = (n * channels + c) * size + p
    mask = (c < channels) & (p < size)
    x = tl.load(x_ptr + offs, mask=mask, other=0.0) * scale
    x = tl.where(c < channels, x, float("-inf"))
    e = tl.exp(x - tl.max(x, axis=1)[:, None])
    tl.store(out_ptr + offs, e / tl.sum(e, axis=1)[:, None], mask=mask)


class ChannelSoftmaxNew(nn.Module):
    def __init__(self, temperature=1.0):
        super().__init__()
        self.temperature = temperature

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.contiguous()
        out = torch.empty_like(x)
        grid = (n, triton.cdiv(h * w, 16))
        channel_softmax[grid](
            x, out, c, h * w, 1.0 / self.temperature, C=triton.next_power_of_2(c), P=16
        )
        return out
