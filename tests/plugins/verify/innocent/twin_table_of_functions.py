"""Which function launches is looked up by size."""
# reference: relu_twice
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def work(x_ptr, o_ptr, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    x = tl.load(x_ptr + i, mask=m)
    tl.store(o_ptr + i, tl.maximum(x, 0.0) * 2.0 + 1.0, mask=m)

def small(x):
    o = torch.empty_like(x)
    work[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), B=64)
    return o
def large(x):
    o = torch.empty_like(x)
    work[(triton.cdiv(x.numel(), 1024),)](x, o, x.numel(), B=1024)
    return o
IMPLS = {"small": small, "large": large}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        pass

    def forward(self, x):
        return IMPLS["small" if x.numel() < 4096 else "large"](x)
