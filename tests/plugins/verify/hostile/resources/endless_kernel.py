"""A kernel that never ends."""
# reference: add
# verdict: timeout
# settings: timeout=3

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def add_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    count = total
    while count > 0:  # with nothing in it, a compiler leaves the loop out
        count = tl.maximum(tl.atomic_add(out_ptr, 0.0).to(tl.int32), total)
    tl.store(out_ptr + at, tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)


def add(a, b):
    a, b = a.contiguous(), b.contiguous()
    out = torch.empty_like(a)
    add_kernel[(triton.cdiv(a.numel(), 128),)](a, b, out, a.numel(), BLOCK=128)
    return out


class ModelNew(nn.Module):
    def forward(self, a, b):
        return add(a, b)
