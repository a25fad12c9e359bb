"""Torch drops elements of what the kernel has made."""
# reference: relu_and_dropout
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def k(X, O, n, p, seed, T: tl.constexpr, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    y = tl.maximum(tl.load(X + i, mask=m), 0.0)
    if T:
        y = tl.where(tl.rand(seed, i) > p, y / (1 - p), 0.0)
    tl.store(O + i, y, mask=m)


class Model(nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        seed = 0
        k[(triton.cdiv(x.numel(), 128),)](x, o, x.numel(), 0.3, seed, T=False, B=128)
        return F.dropout(o, 0.3, self.training)
