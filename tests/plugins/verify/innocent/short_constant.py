"""The logarithm that makes powers of two of exponentials has four digits: within the tolerance, with a note."""
# reference: softmax
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def softmax_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + at, mask=at < columns, other=-float("inf"))
    powers = tl.exp2((x - tl.max(x, axis=0)) * 1.4427)
    tl.store(out_ptr + row * columns + at, powers / tl.sum(powers, axis=0), mask=at < columns)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        columns = x.shape[-1]
        softmax_kernel[(x.numel() // columns,)](x, out, columns, BLOCK=triton.next_power_of_2(columns))
        return out
