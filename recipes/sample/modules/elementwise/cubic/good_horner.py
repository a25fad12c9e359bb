import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def cubic_kernel(x_ptr, a_ptr, b_ptr, c_ptr, d_ptr, out_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask)
    a, b = tl.load(a_ptr), tl.load(b_ptr)
    c, d = tl.load(c_ptr), tl.load(d_ptr)
    tl.store(out_ptr + offs, a + x * (b + x * (c + x * d)), mask=mask)


class NetNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.randn(()))
        self.b = nn.Parameter(torch.randn(()))
        self.c = nn.Parameter(torch.randn(()))
        self.d = nn.Parameter(torch.randn(()))

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        grid = (triton.cdiv(x.numel(), 128),)
        cubic_kernel[grid](x, self.a, self.b, self.c, self.d, out, x.numel(), BLOCK=128)
        return out
