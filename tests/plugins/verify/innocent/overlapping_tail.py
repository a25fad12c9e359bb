"""The last block is moved back so that it needs no mask: it writes some results a second time."""
# reference: volume
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def exponential_kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    start = tl.minimum(tl.program_id(0) * BLOCK, total - BLOCK)
    at = start + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.exp(tl.load(x_ptr + at)) - 1.0)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        exponential_kernel[(triton.cdiv(x.numel(), 128),)](x, out, x.numel(), BLOCK=128)
        return out
