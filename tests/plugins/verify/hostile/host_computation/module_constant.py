"""The sums reach the kernel through a constant of the module."""
# reference: row_sum
# verdict: unsupported:host_reads_data | hack:host_computation | wrong_output | unsupported:other_code | runtime_error

import torch
import torch.nn as nn
import triton
import triton.language as tl

SUM = tl.constexpr(0.0)


@triton.jit
def constant_kernel(out_ptr, row):
    tl.store(out_ptr + row, SUM)


class ModelNew(nn.Module):
    def forward(self, x):
        global SUM
        out = torch.empty(x.shape[0], device=x.device)
        for row in range(x.shape[0]):
            SUM = tl.constexpr(sum(x[row].tolist()))
            constant_kernel[(1,)](out, row)
        return out
