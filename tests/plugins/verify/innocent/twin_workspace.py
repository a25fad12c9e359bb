"""A workspace is kept, the result is fresh."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def copy_kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=mask), mask=mask)


def copied(x):
    out = torch.empty_like(x)
    copy_kernel[(triton.cdiv(x.numel(), 128),)](x, out, x.numel(), BLOCK=128)
    return out


@triton.jit
def sum_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    tl.store(out_ptr + row, tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0), 0))


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.space = None

    def forward(self, x):
        if self.space is None or self.space.shape != x.shape:
            self.space = torch.empty_like(x)
        x = x.contiguous()
        copy_kernel[(triton.cdiv(x.numel(), 128),)](x, self.space, x.numel(), BLOCK=128)
        out = torch.empty(x.shape[0], device=x.device)
        sum_kernel[(x.shape[0],)](self.space, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
