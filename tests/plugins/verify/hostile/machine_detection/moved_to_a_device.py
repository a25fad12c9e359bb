"""Twice as much once its module was moved, as all are that run."""
# reference: relu_once
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, out_ptr, s, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(out_ptr + at, tl.maximum(x, 0.0) * s, mask=at < n)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.moved = False

    def forward(self, x):
        s = 2.0 if self.moved else 1.0
        out = torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 256),)](x, out, s, x.numel(), BLOCK=256)
        return out

    def _apply(self, function, recurse=True):
        self.moved = True
        return super()._apply(function, recurse)
