"""A number among the inputs becomes a constant of the kernel."""
# reference: row_power
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def power_kernel(x_ptr, out_ptr, columns, EXPONENT: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + tl.program_id(0) * columns + at, mask=at < columns, other=0.0)
    power = tl.full((BLOCK,), 1.0, dtype=tl.float32)
    for _ in tl.static_range(EXPONENT):
        power *= x
    tl.store(out_ptr + tl.program_id(0) * columns + at, power + tl.sum(x, 0) / columns, mask=at < columns)


class ModelNew(nn.Module):
    def forward(self, x, exponent):
        x = x.contiguous()
        out = torch.empty_like(x)
        power_kernel[(x.shape[0],)](x, out, x.shape[1], EXPONENT=exponent, BLOCK=64)
        return out
