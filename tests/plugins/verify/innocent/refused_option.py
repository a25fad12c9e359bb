"""A kernel refuses in words what it was not written for, in a branch that no launch here compiles."""
# reference: add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def add_kernel(a_ptr, b_ptr, out_ptr, total, largest: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    if largest is not None:
        raise NotImplementedError("no results are clamped here")
    elif BLOCK > 4096:
        raise ValueError()
    tl.store(out_ptr + at, tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        out = torch.empty_like(a)
        add_kernel[(triton.cdiv(out.numel(), 256),)](a, b, out, out.numel(), largest=None, BLOCK=256)
        return out
