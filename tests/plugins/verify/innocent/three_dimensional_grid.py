"""A grid of three dimensions."""
# reference: add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def add_kernel(a_ptr, b_ptr, out_ptr, rows, columns, BLOCK: tl.constexpr):
    row = tl.program_id(1) + tl.program_id(2) * 2
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = (at < columns) & (row < rows)
    place = row * columns + at
    tl.store(out_ptr + place, tl.load(a_ptr + place, mask=mask) + tl.load(b_ptr + place, mask=mask), mask=mask)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty_like(a)
        grid = (triton.cdiv(a.shape[1], 32), 2, triton.cdiv(a.shape[0], 2))
        add_kernel[grid](a.contiguous(), b.contiguous(), out, a.shape[0], a.shape[1], BLOCK=32)
        return out
