"""Dense where the reference returns a view: its strides were no promise."""
# reference: transposed_view
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def relu_kernel(x_ptr, out_ptr, rows, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    mask = at < rows
    y = tl.maximum(tl.load(x_ptr + at * columns + tl.program_id(0), mask=mask), 0.0)
    tl.store(out_ptr + tl.program_id(0) * rows + at, y, mask=mask)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        rows, columns = x.shape
        out = torch.empty((columns, rows), device=x.device)
        relu_kernel[(columns,)](x, out, rows, columns, BLOCK=triton.next_power_of_2(rows))
        return out
