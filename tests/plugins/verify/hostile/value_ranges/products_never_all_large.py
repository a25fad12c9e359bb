"""A sum of products of bytes in 16 bits."""
# reference: product_of_bytes
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def product_kernel(x_ptr, y_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    there = tl.program_id(0) * columns + at
    x = tl.load(x_ptr + there, mask=at < columns, other=0).to(tl.int32)
    y = tl.load(y_ptr + there, mask=at < columns, other=0).to(tl.int32)
    tl.store(out_ptr + tl.program_id(0), tl.sum(x * y, 0).to(tl.int16).to(tl.int64))


class ModelNew(nn.Module):
    def forward(self, x, y):
        out = torch.empty(x.shape[0], dtype=torch.int64, device=x.device)
        product_kernel[(x.shape[0],)](x, y, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
