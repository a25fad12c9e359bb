import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def matvec_kernel(A_ptr, v_ptr, s_ptr, y_ptr, rows, cols, BR: tl.constexpr, BC: tl.constexpr):
    r = tl.program_id(0) * BR + tl.arange(0, BR)
    b = tl.program_id(1)
    acc = tl.zeros([BR], dtype=tl.float32)
    for start in range(0, cols, BC):
        c = start + tl.arange(0, BC)
        a = tl.load(
            A_ptr + r[:, None] * cols + c[None, :],
            mask=(r[:, None] < rows) & (c[None, :] < cols), other=0.0,
        )
        v = tl.load(v_ptr + b * cols + c, mask=c < cols, other=0.0)
        acc += tl.sum(a * v[None, :], axis=1)
    tl.store(y_ptr + b * rows + r, acc * tl.load(s_ptr), mask=r < rows)


class MatVecNew(nn.Module):
    def __init__(self, rows, cols):
        super().__init__()
        self.A = nn.Parameter(torch.randn(rows, cols))
        self.scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, v):
        rows, cols = self.A.shape
        y = torch.empty((v.shape[0], rows), device=v.device, dtype=v.dtype)
        grid = (triton.cdiv(rows, 8), v.shape[0])
        matvec_kernel[grid](self.A, v.contiguous(), self.scale, y, rows, cols, BR=8, BC=16)
        return y
