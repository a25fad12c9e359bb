import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def group_norm_kernel(x_ptr, w_ptr, b_ptr, out_ptr, groups, per_group, size, eps, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    count = per_group * size
    i = tl.arange(0, BLOCK)
    mask = i < count
    x = tl.load(x_ptr + pid * count + i, mask=mask, other=0.0)
    mean = tl.sum(x, axis=0) / count
    d = tl.where(mask, x - mean, 0.0)
    inv = tl.rsqrt(tl.sum(d * d, axis=0) / count + eps)
    channel = (pid % groups) * per_group + i // size
    w = tl.load(w_ptr + channel, mask=mask)
    b = tl.load(b_ptr + channel, mask=mask)
    tl.store(out_ptr + pid * count + i, d * inv * w + b, mask=mask)


class BlockNew(nn.Module):
    def __init__(self, groups, channels):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.contiguous()
        out = torch.empty_like(x)
        g = self.norm.num_groups
        block = triton.next_power_of_2(c // g * h * w)
        group_norm_kernel[(n * g,)](
            x, self.norm.weight, self.norm.bias, out, g, c // g, h * w, self.norm.eps, BLOCK=block
        )
        return out
