"""Values and indices."""
# reference: masked_max
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def max_kernel(x_ptr, value_ptr, index_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + at, mask=at < columns, other=-float("inf"))
    tl.store(value_ptr + row, tl.max(x, axis=0))
    tl.store(index_ptr + row, tl.argmax(x, axis=0).to(tl.int64))


class ModelNew(nn.Module):
    def forward(self, x):
        values = torch.empty(x.shape[0], device=x.device, dtype=x.dtype)
        indices = torch.empty(x.shape[0], device=x.device, dtype=torch.int64)
        max_kernel[(x.shape[0],)](x.contiguous(), values, indices, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return values, indices
