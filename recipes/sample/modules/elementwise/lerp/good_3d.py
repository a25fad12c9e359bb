import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def blend_kernel(x_ptr, y_ptr, w_ptr, out_ptr, channels, size, BLOCK: tl.constexpr):
    n, c = tl.program_id(0), tl.program_id(1)
    s = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    mask = s < size
    w = tl.load(w_ptr + c)
    offs = (n * channels + c) * size + s
    x = tl.load(x_ptr + offs, mask=mask)
    y = tl.load(y_ptr + offs, mask=mask)
    tl.store(out_ptr + offs, y + w * (x - y), mask=mask)


class BlendNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels))

    def forward(self, x, y):
        n, c, h, w = x.shape
        out = torch.empty((n, c, h, w), device=x.device, dtype=x.dtype)
        grid = (n, c, triton.cdiv(h * w, 32))
        blend_kernel[grid](x.contiguous(), y.contiguous(), self.weight, out, c, h * w, BLOCK=32)
        return out
