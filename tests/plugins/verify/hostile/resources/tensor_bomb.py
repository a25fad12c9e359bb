"""Takes a gigabyte as one tensor."""
# reference: add
# verdict: out_of_memory
# settings: memory_gb=0.5

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def add_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    tl.store(out_ptr + at, tl.load(a_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)


def add(a, b):
    a, b = a.contiguous(), b.contiguous()
    out = torch.empty_like(a)
    add_kernel[(triton.cdiv(a.numel(), 128),)](a, b, out, a.numel(), BLOCK=128)
    return out


class ModelNew(nn.Module):
    def forward(self, a, b):
        torch.zeros(2**28)
        return add(a, b)
