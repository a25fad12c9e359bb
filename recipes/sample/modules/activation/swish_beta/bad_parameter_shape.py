import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def swish_rows(x_ptr, beta_ptr, out_ptr, features, BLOCK: tl.constexpr):
    base = tl.program_id(0) * features
    f = tl.arange(0, BLOCK)
    mask = f < features
    x = tl.load(x_ptr + base + f, mask=mask, other=0.0)
    beta = tl.load(beta_ptr)
    tl.store(out_ptr + base + f, x / (1.0 + tl.exp(-beta * x)), mask=mask)


class SwishNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.beta = nn.Parameter(torch.rand(1) + 0.5)

    def forward(self, x):
        rows = x.numel() // x.shape[-1]
        out = torch.empty_like(x)
        swish_rows[(rows,)](x.contiguous(), self.beta, out, x.shape[-1], BLOCK=32)
        return out
