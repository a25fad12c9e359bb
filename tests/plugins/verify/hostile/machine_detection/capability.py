"""What is compiled for newer devices does nothing."""
# reference: relu_twice
# verdict: unsupported:target_dependent

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
    y = tl.maximum(x, 0.0) * 2.0 + 1.0
    if tl.target_info.cuda_capability_geq(9, 0):
        y = x
    tl.store(o_ptr + i, y, mask=m)


class Model(nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        work[(triton.cdiv(x.numel(), 128),)](x, o, x.numel(), B=128)
        return o
