"""One pass with a running maximum."""
# reference: softmax
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def online_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    top = -float("inf")
    total = 0.0
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * columns + at, mask=at < columns, other=-float("inf"))
        new_top = tl.maximum(top, tl.max(x, 0))
        total = total * tl.exp(top - new_top) + tl.sum(tl.exp(x - new_top), 0)
        top = new_top
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * columns + at, mask=at < columns)
        tl.store(out_ptr + row * columns + at, tl.exp(x - top) / total, mask=at < columns)


class RowSoftmaxNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        online_kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=32)
        return out
