"""An associative scan with an own combine function."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def plus(a, b):
    return a + b


@triton.jit
def scan_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0)
    running = tl.associative_scan(x, 0, plus)
    tl.store(out_ptr + row, tl.sum(tl.where(at == columns - 1, running, 0.0), 0))


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0], device=x.device)
        scan_kernel[(x.shape[0],)](x.contiguous(), out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
