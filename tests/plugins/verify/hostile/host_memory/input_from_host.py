"""The kernel reads a copy of its input that is in the host's memory."""
# reference: twice_and_one
# verdict: runtime_error

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def line_kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < total) * 2.0 + 1.0, mask=at < total)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        line_kernel[(triton.cdiv(x.numel(), 128),)](x.cpu().contiguous(), out, x.numel(), BLOCK=128)
        return out
