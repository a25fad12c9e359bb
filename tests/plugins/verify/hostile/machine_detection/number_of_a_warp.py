"""The manual promises nothing of it."""
# reference: relu_twice
# verdict: wrong_output

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
    s = tl.inline_asm_elementwise("mov.u32 $0, %warpid;", "=r,r", [i], dtype=tl.int32, is_pure=True, pack=1)
    y = tl.maximum(x, 0.0) * 2.0 + 1.0
    y = tl.where(s > 1000, x, y)
    tl.store(o_ptr + i, y, mask=m)


class Model(nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        work[(triton.cdiv(x.numel(), 128),)](x, o, x.numel(), B=128)
        return o
