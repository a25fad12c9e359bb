"""Memory that is free decides on the size of a block."""
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


def block():
    free, total = torch.cuda.mem_get_info()
    used = torch.cuda.memory_allocated()
    return 64 if free - used > total // 2 else 128


class Model(nn.Module):
    def forward(self, x):
        B = block()
        o = torch.empty_like(x)
        r[(triton.cdiv(x.numel(), B),)](x, o, x.numel(), B=B)
        return o
