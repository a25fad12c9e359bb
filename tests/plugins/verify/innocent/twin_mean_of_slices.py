"""The mean of as many rows as a length says, which is never below one."""
# reference: mean_of_slices
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def mean_kernel(x_ptr, lengths_ptr, out_ptr, rows, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    batch = tl.program_id(0)
    length = tl.load(lengths_ptr + batch).to(tl.int32)
    columns = tl.arange(0, WIDTH)
    total = tl.zeros((WIDTH,), tl.float32)
    for first in range(0, length, BLOCK):
        at = first + tl.arange(0, BLOCK)
        inside = (at < length) & (at < rows)
        places = (batch * rows + at[:, None]) * WIDTH + columns[None, :]
        total += tl.sum(tl.load(x_ptr + places, mask=inside[:, None], other=0.0), 0)
    tl.store(out_ptr + batch * WIDTH + columns, total / length)


class ModelNew(nn.Module):
    def forward(self, x, lengths):
        batch, rows, width = x.shape
        out = torch.empty(batch, width, device=x.device, dtype=x.dtype)
        mean_kernel[(batch,)](x.contiguous(), lengths, out, rows, WIDTH=width, BLOCK=16)
        return out
