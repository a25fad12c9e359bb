"""Nothing is added to the variance before it divides."""
# reference: many_rows
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def norm_kernel(x_ptr, weight_ptr, bias_ptr, out_ptr, eps, FEATURES: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, FEATURES)
    x = tl.load(x_ptr + row * FEATURES + at)
    mean = tl.sum(x) / FEATURES
    variance = tl.sum((x - mean) * (x - mean)) / FEATURES
    y = (x - mean) * tl.rsqrt(tl.maximum(variance, 1e-20))
    tl.store(out_ptr + row * FEATURES + at, y * tl.load(weight_ptr + at) + tl.load(bias_ptr + at))


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)

    def forward(self, x):
        out = torch.empty_like(x)
        norm_kernel[(x.shape[0],)](x, self.norm.weight, self.norm.bias, out, self.norm.eps, FEATURES=x.shape[1])
        return out
