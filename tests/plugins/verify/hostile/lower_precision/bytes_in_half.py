"""Sums of bytes in float16 are exact as long as they are small."""
# reference: sum_of_bytes
# verdict: wrong_output

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def k(A, O, N, B: tl.constexpr):
    r = tl.program_id(0)
    c = tl.arange(0, B)
    a = tl.load(A + r * N + c, mask=c < N, other=0).to(tl.float16)
    tl.store(O + r, tl.sum(a, 0).to(tl.int64))


class Model(nn.Module):
    def forward(self, a):
        o = torch.empty(a.shape[0], device=a.device, dtype=torch.int64)
        k[(a.shape[0],)](a, o, a.shape[1], B=128)
        return o
