"""Sets of types and of shapes that were seen."""
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
SEEN = set()
SUPPORTED = frozenset({torch.float32, torch.float16})


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        pass

    def forward(self, x):
        SEEN.add(tuple(x.shape))
        B = 128
        assert x.dtype in SUPPORTED
        for s in SEEN:
            assert len(s) == 2
        o = torch.empty_like(x)
        work[(triton.cdiv(x.numel(), B),)](x, o, x.numel(), B=B)
        return o
