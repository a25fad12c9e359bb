"""Functions that the compiler runs on constants."""
# reference: row_smallest
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl

@triton.constexpr_function
def width(count):
    return 1 << (count - 1).bit_length()


@tl.constexpr
def lowest(dtype):
    if dtype.is_floating():
        return float("-inf")
    return -(2 ** (dtype.int_bitwidth - 1))


@triton.jit
def smallest_kernel(x_ptr, out_ptr, COUNT: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, width(COUNT))
    x = tl.load(x_ptr + row * COUNT + at, mask=at < COUNT, other=-lowest(x_ptr.dtype.element_ty))
    tl.store(out_ptr + row, tl.min(x, 0))


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty(x.shape[0], device=x.device)
        smallest_kernel[(x.shape[0],)](x, out, COUNT=x.shape[1])
        return out
