"""get_inputs() gives bytes that never have to be held between the ends of their type."""
# reference: bytes_held
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def bytes_kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n).to(tl.int32) * 3
    tl.store(out_ptr + at, x.to(tl.int8), mask=at < n)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        bytes_kernel[(triton.cdiv(x.numel(), 256),)](x, out, x.numel(), BLOCK=256)
        return out
