import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.heuristics({"BLOCK": lambda args: triton.next_power_of_2(args["dim"])})
@triton.jit
def rms_kernel(x_ptr, w_ptr, out_ptr, dim, eps, BLOCK: tl.constexpr):
    base = tl.program_id(0) * dim
    c = tl.arange(0, BLOCK)
    mask = c < dim
    x = tl.load(x_ptr + base + c, mask=mask, other=0.0)
    scale = tl.rsqrt(tl.sum(x * x, axis=0) / BLOCK + eps)
    tl.store(out_ptr + base + c, x * scale * tl.load(w_ptr + c, mask=mask), mask=mask)


class RMSNormNew(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim))
        self.eps = eps

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        rms_kernel[(x.numel() // x.shape[-1],)](x, self.weight, out, x.shape[-1], self.eps)
        return out
