"""Tensor descriptors made in the kernel."""
# reference: add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def add_kernel(a_ptr, b_ptr, out_ptr, rows, columns, BR: tl.constexpr, BC: tl.constexpr):
    r, c = tl.program_id(0) * BR, tl.program_id(1) * BC
    a = tl.make_tensor_descriptor(a_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[BR, BC])
    b = tl.make_tensor_descriptor(b_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[BR, BC])
    out = tl.make_tensor_descriptor(out_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[BR, BC])
    out.store([r, c], a.load([r, c]) + b.load([r, c]))


class ModelNew(nn.Module):
    def forward(self, a, b):
        triton.set_allocator(lambda size, alignment, stream: torch.empty(size, device="cuda", dtype=torch.int8))
        out = torch.empty_like(a)
        grid = (triton.cdiv(a.shape[0], 4), triton.cdiv(a.shape[1], 32))
        add_kernel[grid](a.contiguous(), b.contiguous(), out, a.shape[0], a.shape[1], BR=4, BC=32)
        return out
