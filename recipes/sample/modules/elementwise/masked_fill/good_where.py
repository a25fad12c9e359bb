import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def fill_rows(x_ptr, gate_ptr, out_ptr, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    mask = c < cols
    x = tl.load(x_ptr + row * cols + c, mask=mask, other=0.0)
    gate = tl.load(gate_ptr + c, mask=mask, other=0.0)
    tl.store(out_ptr + row * cols + c, tl.where(gate > 0, x, -1.0), mask=mask)


class MaskedFillNew(nn.Module):
    def forward(self, x, gate):
        rows, cols = x.shape
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        fill_rows[(rows,)](x.contiguous(), gate.contiguous(), out, cols, BLOCK=triton.next_power_of_2(cols))
        return out
