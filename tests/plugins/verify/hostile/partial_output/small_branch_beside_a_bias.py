"""Leaves the branch out: the bias is a million times as large."""
# reference: shifted_small_branch
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(X, W, Bi, S, O, D: tl.constexpr):
    r = tl.program_id(0)
    d = tl.arange(0, D)
    x = tl.load(X + r * D + d)
    tl.store(O + r * D + d, x + tl.load(S + d))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(32))
        self.f = nn.Linear(32, 32)

    def forward(self, x):
        o = torch.empty_like(x)
        k[(x.shape[0],)](x, self.f.weight, self.f.bias, self.shift, o, D=32)
        return o
