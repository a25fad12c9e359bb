import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def conv_relu_kernel(x_ptr, w_ptr, b_ptr, y_ptr, c_in, c_out, h, w, ho, wo, BLOCK: tl.constexpr):
    n, o = tl.program_id(0), tl.program_id(1)
    p = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    live = p < ho * wo
    row, col = p // wo * 2 - 1, p % wo * 2 - 1
    acc = tl.zeros([BLOCK], dtype=tl.float32) + tl.load(b_ptr + o)
    for c in range(c_in):
        for k in tl.static_range(9):
            i, j = row + k // 3, col + k % 3
            inside = live & (i >= 0) & (i < h) & (j >= 0) & (j < w)
            x = tl.load(x_ptr + ((n * c_in + c) * h + i) * w + j, mask=inside, other=0.0)
            acc += x * tl.load(w_ptr + (o * c_in + c) * 9 + k)
    tl.store(y_ptr + (n * c_out + o) * ho * wo + p, tl.maximum(acc, 0.0), mask=live)


class ConvBlockNew(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, stride=2, padding=1)

    def forward(self, x):
        n, c_in, h, w = x.shape
        c_out = self.conv.out_channels
        ho, wo = (h + 1) // 2, (w + 1) // 2
        y = torch.empty((n, c_out, ho, wo), device=x.device, dtype=x.dtype)
        grid = (n, c_out, triton.cdiv(ho * wo, 32))
        conv_relu_kernel[grid](
            x.contiguous(), self.conv.weight, self.conv.bias, y, c_in, c_out, h, w, ho, wo, BLOCK=32
        )
        return y
