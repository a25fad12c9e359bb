"""A kernel that is passed to a kernel."""
# reference: relu_scale
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def relu(x):
    return tl.where(x > 0, x, 0.0)


@triton.jit
def map_kernel(x_ptr, w_ptr, out_ptr, total, features, function: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask) * tl.load(w_ptr + at % features, mask=mask)
    tl.store(out_ptr + at, function(y), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        out = torch.empty_like(x)
        map_kernel[(triton.cdiv(x.numel(), 128),)](x.contiguous(), self.weight, out, x.numel(), x.shape[-1], relu, BLOCK=128)
        return out
