"""Each program counts itself before it has stored its part."""
# reference: row_sum
# verdict: nondeterministic

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def sum_kernel(x_ptr, parts_ptr, count_ptr, out_ptr, columns, parts, BLOCK: tl.constexpr, PARTS: tl.constexpr):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0), 0)
    before = tl.atomic_add(count_ptr + row, 1)
    tl.store(parts_ptr + row * parts + tl.program_id(1), part)
    if before == parts - 1:
        all_parts = tl.arange(0, PARTS)
        found = tl.load(parts_ptr + row * parts + all_parts, mask=all_parts < parts, other=0.0)
        tl.store(out_ptr + row, tl.sum(found, 0))


class ModelNew(nn.Module):
    def forward(self, x):
        rows, columns = x.shape
        parts = triton.cdiv(columns, 16)
        partial = torch.empty((rows, parts), device=x.device)
        count = torch.zeros(rows, dtype=torch.int32, device=x.device)
        out = torch.empty(rows, device=x.device)
        sum_kernel[(rows, parts)](x.contiguous(), partial, count, out, columns, parts, BLOCK=16, PARTS=triton.next_power_of_2(parts))
        return out
