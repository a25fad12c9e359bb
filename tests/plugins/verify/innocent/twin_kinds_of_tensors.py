"""Old code asserts types of CUDA tensors."""
# reference: relu_rows
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def r(X, O, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(O + i, tl.maximum(tl.load(X + i, mask=i < n), 0.0), mask=i < n)


class Model(nn.Module):
    def forward(self, x):
        assert x.is_cuda and x.type() == "torch.cuda.FloatTensor"
        assert isinstance(x, (torch.cuda.FloatTensor, torch.cuda.HalfTensor))
        o = torch.empty_like(x)
        r[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), B=64)
        return o
