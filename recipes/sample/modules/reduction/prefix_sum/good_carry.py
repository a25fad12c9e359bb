import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def chunked_scan(x_ptr, out_ptr, cols, CHUNK: tl.constexpr):
    base = tl.program_id(0) * cols
    carry = 0.0
    for start in range(0, cols, CHUNK):
        c = start + tl.arange(0, CHUNK)
        mask = c < cols
        x = tl.load(x_ptr + base + c, mask=mask, other=0.0)
        tl.store(out_ptr + base + c, carry + tl.cumsum(x, axis=0), mask=mask)
        carry += tl.sum(x, axis=0)


class PrefixSumNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        chunked_scan[(x.shape[0],)](x, out, x.shape[1], CHUNK=16)
        return out
