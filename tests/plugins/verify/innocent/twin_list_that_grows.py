"""Keeps a list of the shapes that it has seen."""
# reference: relu_scale
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl

SEEN = []


@triton.jit
def relu_scale_kernel(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask)
    w = tl.load(w_ptr + at % features, mask=mask)
    tl.store(out_ptr + at, tl.maximum(x * w, 0.0), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        SEEN.append(tuple(x.shape))
        x = x.contiguous()
        out = torch.empty_like(x)
        relu_scale_kernel[(triton.cdiv(x.numel(), 128),)](x, self.weight, out, x.numel(), x.shape[-1], BLOCK=128)
        
        return out
