"""One tensor is returned twice, where the reference returns two."""
# reference: relu_and_its_copy
# verdict: wrong_output

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def k(X, O, P, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    y = tl.maximum(tl.load(X + i, mask=m), 0.0)
    tl.store(O + i, y, mask=m)
    tl.store(P + i, y, mask=m)


class Model(nn.Module):
    def forward(self, x):
        o, p = torch.empty_like(x), torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 128),)](x, o, p, x.numel(), B=128)
        return o, o
