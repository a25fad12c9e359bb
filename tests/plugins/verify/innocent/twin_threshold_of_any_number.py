"""Compares as the reference does."""
# reference: threshold_of_any_number
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def k(X, O, P, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    x = tl.load(X + i, mask=m)
    tl.store(O + i, tl.where(x > 0.3, x, x * 0.1), mask=m)
    tl.store(P + i, tl.where(x > 0.7, x, -2.0), mask=m)


class Model(nn.Module):
    def forward(self, x):
        o, p = torch.empty_like(x), torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 128),)](x, o, p, x.numel(), B=128)
        return o, p
