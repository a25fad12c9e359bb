import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def depthwise_kernel(x_ptr, w_ptr, y_ptr, channels, h, w, BH: tl.constexpr, BW: tl.constexpr):
    plane = tl.program_id(0)
    i = tl.program_id(1) * BH + tl.arange(0, BH)[:, None]
    j = tl.program_id(2) * BW + tl.arange(0, BW)[None, :]
    filt = w_ptr + (plane // channels) * 9
    acc = tl.zeros([BH, BW], dtype=tl.float32)
    for a in tl.static_range(3):
        for b in tl.static_range(3):
            ii, jj = i + a - 1, j + b - 1
            inside = (ii >= 0) & (ii < h) & (jj >= 0) & (jj < w)
            x = tl.load(x_ptr + plane * h * w + ii * w + jj, mask=inside, other=0.0)
            acc += x * tl.load(filt + a * 3 + b)
    tl.store(y_ptr + plane * h * w + i * w + j, acc, mask=(i < h) & (j < w))


class DepthwiseConvNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)

    def forward(self, x):
        n, c, h, w = x.shape
        y = torch.empty((n, c, h, w), device=x.device, dtype=x.dtype)
        grid = (n * c, triton.cdiv(h, 4), triton.cdiv(w, 8))
        depthwise_kernel[grid](x.contiguous(), self.depthwise.weight, y, c, h, w, BH=4, BW=8)
        return y
