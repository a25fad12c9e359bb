"""Partial sums, then their sum."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def part_kernel(x_ptr, part_ptr, columns, parts, BLOCK: tl.constexpr):
    row, part = tl.program_id(0), tl.program_id(1)
    at = part * BLOCK + tl.arange(0, BLOCK)
    tl.store(part_ptr + row * parts + part, tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0), axis=0))


@triton.jit
def total_kernel(part_ptr, out_ptr, parts, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    tl.store(out_ptr + row, tl.sum(tl.load(part_ptr + row * parts + at, mask=at < parts, other=0.0), axis=0))


class ModelNew(nn.Module):
    def forward(self, x):
        parts = torch.empty((x.shape[0], triton.cdiv(x.shape[1], 64)), device=x.device)
        part_kernel[(x.shape[0], parts.shape[1])](x.contiguous(), parts, x.shape[1], parts.shape[1], BLOCK=64)
        out = torch.empty(x.shape[0], device=x.device)
        total_kernel[(x.shape[0],)](parts, out, parts.shape[1], BLOCK=triton.next_power_of_2(parts.shape[1]))
        return out
