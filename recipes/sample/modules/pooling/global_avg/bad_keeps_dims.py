import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def plane_mean(x_ptr, y_ptr, planes, size, BP: tl.constexpr, BS: tl.constexpr):
    p = tl.program_id(0) * BP + tl.arange(0, BP)[:, None]
    acc = tl.zeros([BP, BS], dtype=tl.float32)
    for start in range(0, size, BS):
        s = start + tl.arange(0, BS)[None, :]
        acc += tl.load(x_ptr + p * size + s, mask=(p < planes) & (s < size), other=0.0)
    mean = tl.sum(acc, axis=1) / size
    q = tl.program_id(0) * BP + tl.arange(0, BP)
    tl.store(y_ptr + q, mean, mask=q < planes)


class GlobalAvgPoolNew(nn.Module):
    def forward(self, x):
        n, c, h, w = x.shape
        y = torch.empty((n, c, 1, 1), device=x.device, dtype=x.dtype)
        plane_mean[(triton.cdiv(n * c, 4),)](x.contiguous(), y, n * c, h * w, BP=4, BS=32)
        return y
