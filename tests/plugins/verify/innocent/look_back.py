"""Each program waits for the sum of those before it, which comes with a flag: a scan in one pass."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def sum_kernel(x_ptr, sums_ptr, flags_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row, part, parts = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    at = part * BLOCK + tl.arange(0, BLOCK)
    total = tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0), 0)
    place = row * parts + part
    if part > 0:
        while tl.atomic_add(flags_ptr + place - 1, 0, sem="acquire") == 0:
            pass
        total += tl.load(sums_ptr + place - 1)
    tl.store(sums_ptr + place, total)
    tl.debug_barrier()
    tl.atomic_xchg(flags_ptr + place, 1, sem="release")
    if part == parts - 1:
        tl.store(out_ptr + row, total)


class ModelNew(nn.Module):
    def forward(self, x):
        rows, columns = x.shape
        parts = triton.cdiv(columns, 64)
        sums = torch.empty(rows * parts, device=x.device)
        flags = torch.zeros(rows * parts, dtype=torch.int32, device=x.device)
        out = torch.zeros(rows, device=x.device)
        sum_kernel[(rows, parts)](x.contiguous(), sums, flags, out, columns, BLOCK=64)
        return out
