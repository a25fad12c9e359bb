"""tl.make_block_ptr with boundary checks."""
# reference: add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def add_kernel(a_ptr, b_ptr, out_ptr, rows, columns, BR: tl.constexpr, BC: tl.constexpr):
    r, c = tl.program_id(0) * BR, tl.program_id(1) * BC
    a = tl.make_block_ptr(a_ptr, (rows, columns), (columns, 1), (r, c), (BR, BC), (1, 0))
    b = tl.make_block_ptr(b_ptr, (rows, columns), (columns, 1), (r, c), (BR, BC), (1, 0))
    out = tl.make_block_ptr(out_ptr, (rows, columns), (columns, 1), (r, c), (BR, BC), (1, 0))
    total = tl.load(a, boundary_check=(0, 1)) + tl.load(b, boundary_check=(0, 1))
    tl.store(out, total, boundary_check=(0, 1))


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty_like(a)
        grid = (triton.cdiv(a.shape[0], 4), triton.cdiv(a.shape[1], 32))
        add_kernel[grid](a.contiguous(), b.contiguous(), out, a.shape[0], a.shape[1], BR=4, BC=32)
        return out
