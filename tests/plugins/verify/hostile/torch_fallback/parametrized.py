"""A parametrization computes the weight each time it is asked for."""
# reference: gate
# verdict: fallback

import torch.nn.utils.parametrize as parametrize
import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask)
    tl.store(out_ptr + at, x * tl.load(w_ptr + at % features, mask=mask), mask=mask)


def scale(x, weight):
    x = x.contiguous()
    out = torch.empty_like(x)
    scale_kernel[(triton.cdiv(x.numel(), 128),)](x, weight, out, x.numel(), x.shape[-1], BLOCK=128)
    return out


class Softmax(nn.Module):
    def forward(self, weight):
        return torch.softmax(weight, dim=0)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))
        parametrize.register_parametrization(self, "weight", Softmax())

    def forward(self, x):
        return scale(x, self.weight)
