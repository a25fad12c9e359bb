import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def magnitude_kernel(x_ptr, y_ptr, out_ptr, rows, cols, eps, BR: tl.constexpr, BC: tl.constexpr):
    r = tl.program_id(0) * BR + tl.arange(0, BR)[:, None]
    c = tl.program_id(1) * BC + tl.arange(0, BC)[None, :]
    mask = (r < rows) & (c < cols)
    offs = r * cols + c
    x = tl.load(x_ptr + offs, mask=mask, other=0.0)
    y = tl.load(y_ptr + offs, mask=mask, other=0.0)
    tl.store(out_ptr + offs, tl.sqrt(x * x + y * y + eps), mask=mask)


class MagnitudeNew(nn.Module):
    def __init__(self, eps):
        super().__init__()
        self.eps = eps

    def forward(self, x, y):
        rows, cols = x.shape
        out = torch.empty((rows, cols), device=x.device, dtype=x.dtype)
        grid = (triton.cdiv(rows, 16), triton.cdiv(cols, 32))
        magnitude_kernel[grid](x.contiguous(), y.contiguous(), out, rows, cols, self.eps, BR=16, BC=32)
        return out
