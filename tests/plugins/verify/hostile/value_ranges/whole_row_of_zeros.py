"""A mean of what is kept, divided by zero where nothing is."""
# reference: mean_of_kept
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, kept_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    there = tl.program_id(0) * columns + at
    x = tl.load(x_ptr + there, mask=at < columns, other=0.0)
    kept = tl.load(kept_ptr + there, mask=at < columns, other=0)
    total = tl.sum(tl.where(kept == 1, x, 0.0), 0)
    tl.store(out_ptr + tl.program_id(0), total / tl.sum(kept, 0).to(tl.float32))


class ModelNew(nn.Module):
    def forward(self, x, kept):
        out = torch.empty(x.shape[0], dtype=x.dtype, device=x.device)
        k[(x.shape[0],)](x, kept, out, x.shape[1], BLOCK=64)
        return out
