"""A kernel defined inside a function."""
# reference: add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


def make_kernel():
    @triton.jit
    def inner_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        mask = at < total
        tl.store(out_ptr + at, tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)

    return inner_kernel


KERNEL = make_kernel()


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty_like(a)
        KERNEL[(triton.cdiv(a.numel(), 128),)](a.contiguous(), b.contiguous(), out, a.numel(), 128)
        return out
