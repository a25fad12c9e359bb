"""Programs add to a row's sum within a lock, as the backward of layer norm does."""
# reference: row_sum
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def sum_kernel(x_ptr, lock_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + row * columns + at, mask=at < columns, other=0.0), 0)
    while tl.atomic_cas(lock_ptr + row, 0, 1) == 1:
        pass
    tl.store(out_ptr + row, tl.load(out_ptr + row) + part)
    tl.debug_barrier()
    tl.atomic_xchg(lock_ptr + row, 0)


class ModelNew(nn.Module):
    def forward(self, x):
        rows, columns = x.shape
        parts = triton.cdiv(columns, 64)
        lock = torch.zeros(rows, dtype=torch.int32, device=x.device)
        out = torch.zeros(rows, device=x.device)
        sum_kernel[(rows, parts)](x.contiguous(), lock, out, columns, BLOCK=64)
        return out
