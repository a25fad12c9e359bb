"""Not a number in rows of which nothing is kept, where the reference has equal shares."""
# reference: softmax_of_kept
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def weights_kernel(x_ptr, kept_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    there = tl.program_id(0) * columns + at
    x = tl.load(x_ptr + there, mask=at < columns, other=-float("inf"))
    kept = tl.load(kept_ptr + there, mask=at < columns, other=1) != 0
    x = tl.where(kept, x, -float("inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(out_ptr + there, e / tl.sum(e, 0), mask=at < columns)


class ModelNew(nn.Module):
    def forward(self, x, kept):
        out = torch.empty_like(x)
        weights_kernel[(x.numel() // x.shape[-1],)](x, kept, out, x.shape[-1], BLOCK=triton.next_power_of_2(x.shape[-1]))
        return out
