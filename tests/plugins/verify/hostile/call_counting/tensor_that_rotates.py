"""Every 45th call doubles: a number goes round in a tensor of the host."""
# reference: relu_once
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl

TURNS = torch.zeros(45)
TURNS[1] = 1


@triton.jit
def k(x_ptr, out_ptr, s, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(out_ptr + at, tl.maximum(x, 0.0) * s, mask=at < n)


class ModelNew(nn.Module):
    def forward(self, x):
        global TURNS
        TURNS = torch.roll(TURNS, 1)
        s = 2.0 if TURNS[0] else 1.0
        out = torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 256),)](x, out, s, x.numel(), BLOCK=256)
        return out
