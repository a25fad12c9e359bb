import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def split_matvec(A_ptr, v_ptr, s_ptr, y_ptr, rows, cols, BC: tl.constexpr):
    r, b, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    c = part * BC + tl.arange(0, BC)
    live = c < cols
    a = tl.load(A_ptr + r * cols + c, mask=live, other=0.0)
    v = tl.load(v_ptr + b * cols + c, mask=live, other=0.0)
    tl.atomic_add(y_ptr + b * rows + r, tl.sum(a * v, axis=0) * tl.load(s_ptr))


class MatVecNew(nn.Module):
    def __init__(self, rows, cols):
        super().__init__()
        self.A = nn.Parameter(torch.randn(rows, cols))
        self.scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, v):
        rows, cols = self.A.shape
        y = torch.zeros((v.shape[0], rows), device=v.device, dtype=v.dtype)
        split_matvec[(rows, v.shape[0], triton.cdiv(cols, 32))](
            self.A, v.contiguous(), self.scale, y, rows, cols, BC=32
        )
        return y
