"""Rows go to given places of a buffer, which no two of them share."""
# reference: cache_of_keys
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def w(K, P, C, D: tl.constexpr):
    r = tl.program_id(0)
    d = tl.arange(0, D)
    tl.store(C + tl.load(P + r) * D + d, tl.load(K + r * D + d))

@triton.jit
def s(C, O, N, D: tl.constexpr):
    d = tl.arange(0, D)
    acc = tl.zeros((D,), tl.float32)
    for r in range(N):
        acc += tl.load(C + r * D + d)
    tl.store(O + d, acc)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer('cache', torch.zeros(8, 16))

    def forward(self, k_, p):
        w[(k_.shape[0],)](k_, p, self.cache, D=16)
        o = torch.empty(16, device=k_.device)
        s[(1,)](self.cache, o, 8, D=16)
        return o
