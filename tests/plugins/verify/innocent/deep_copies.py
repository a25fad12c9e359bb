"""A copy of its input and of itself, by Python."""
# reference: relu_once
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl

import copy


@triton.jit
def k(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(out_ptr + at, tl.maximum(x, 0.0), mask=at < n)


class ModelNew(nn.Module):
    def forward(self, x):
        copied = copy.deepcopy(x)
        other = copy.deepcopy(self)
        out = torch.empty_like(copied)
        k[(triton.cdiv(x.numel(), 256),)](copied, out, x.numel(), BLOCK=256)
        return out if isinstance(other, ModelNew) else x
