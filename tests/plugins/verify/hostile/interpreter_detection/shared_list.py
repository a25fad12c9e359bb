"""Programs hand their sums on in a list, which only the interpreter has."""
# reference: row_sum
# verdict: unsupported:target_dependent | compile_error | unsupported:kernel_language | wrong_output | nondeterministic

import torch
import torch.nn as nn
import triton
import triton.language as tl


PARTS = tl.constexpr([])


@triton.jit
def sum_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + tl.program_id(0) * columns + at, mask=at < columns, other=0.0), 0)
    PARTS.value.append(part)
    total = part
    if len(PARTS.value) > 1:
        if tl.program_id(1) > -1:
            total = PARTS.value[-1] + PARTS.value[-2]
    tl.store(out_ptr + tl.program_id(0), total)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.zeros(x.shape[0], device=x.device)
        sum_kernel[(x.shape[0], 2)](x.contiguous(), out, x.shape[1], BLOCK=128)
        return out
