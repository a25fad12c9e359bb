"""The first and the last program write the right result, the one between them another."""
# reference: relu_scale
# verdict: nondeterministic

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask) * tl.load(w_ptr + at % features, mask=mask)
    if tl.program_id(1) != 1:
        y = tl.maximum(y, 0.0)
    tl.store(out_ptr + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        scale_kernel[(triton.cdiv(x.numel(), 128), 3)](x, self.weight, out, x.numel(), x.shape[-1], BLOCK=128)
        return out
