"""Reads as many rows as it is told."""
# reference: mean_of_some_rows
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def k(X, L, O, T, D: tl.constexpr):
    b = tl.program_id(0)
    d = tl.arange(0, D)
    n = tl.load(L + b).to(tl.int32)
    acc = tl.zeros((D,), tl.float32)
    for t in range(0, n):
        acc += tl.load(X + (b * T + t) * D + d)
    tl.store(O + b * D + d, acc / tl.maximum(n, 1))


class Model(nn.Module):
    def forward(self, x, n):
        o = torch.empty((x.shape[0], x.shape[2]), device=x.device)
        k[(x.shape[0],)](x, n, o, x.shape[1], D=16)
        return o
