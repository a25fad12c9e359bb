import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def implicit_gemm(
    x_ptr, w_ptr, b_ptr, y_ptr, c_in, c_out, h, w, ho, wo,
    BP: tl.constexpr, BO: tl.constexpr, BK: tl.constexpr,
):
    n = tl.program_id(0)
    p = tl.program_id(1) * BP + tl.arange(0, BP)[:, None]
    o = tl.arange(0, BO)[None, :]
    K = c_in * 9
    acc = tl.zeros([BP, BO], dtype=tl.float32)
    for start in range(0, K, BK):
        k = start + tl.arange(0, BK)[None, :]
        c, tap = k // 9, k % 9
        i = p // wo * 2 - 1 + tap // 3
        j = p % wo * 2 - 1 + tap % 3
        inside = (p < ho * wo) & (k < K) & (i >= 0) & (i < h) & (j >= 0) & (j < w)
        patch = tl.load(x_ptr + ((n * c_in + c) * h + i) * w + j, mask=inside, other=0.0)
        kk = start + tl.arange(0, BK)[:, None]
        filters = tl.load(w_ptr + o * K + kk, mask=(kk < K) & (o < c_out), other=0.0)
        acc += tl.dot(patch, filters, input_precision="ieee")
    acc += tl.load(b_ptr + o, mask=o < c_out, other=0.0)
    where = y_ptr + (n * c_out + o) * ho * wo + p
    tl.store(where, tl.maximum(acc, 0.0), mask=(p < ho * wo) & (o < c_out))


class ConvBlockNew(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, stride=2, padding=1)

    def forward(self, x):
        n, c_in, h, w = x.shape
        c_out = self.conv.out_channels
        ho, wo = (h + 1) // 2, (w + 1) // 2
        y = x.new_empty((n, c_out, ho, wo))
        implicit_gemm[(n, triton.cdiv(ho * wo, 16))](
            x.contiguous(), self.conv.weight, self.conv.bias, y, c_in, c_out, h, w, ho, wo,
            BP=16, BO=max(16, triton.next_power_of_2(c_out)), BK=16,
        )
        return y
