import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def add_norm_kernel(x_ptr, r_ptr, w_ptr, b_ptr, out_ptr, rows, dim, eps, PROGRAMS: tl.constexpr, BLOCK: tl.constexpr):
    c = tl.arange(0, BLOCK)
    mask = c < dim
    w = tl.load(w_ptr + c, mask=mask, other=0.0)
    b = tl.load(b_ptr + c, mask=mask, other=0.0)
    # Persistent: the affine parameters are loaded once and used for many rows.
    for row in range(tl.program_id(0), rows, PROGRAMS):
        s = tl.load(x_ptr + row * dim + c, mask=mask, other=0.0)
        r = tl.load(r_ptr + row * dim + c, mask=mask, other=0.0)
        d = tl.where(mask, s - tl.sum(s, axis=0) / dim, 0.0)
        inv = tl.rsqrt(tl.sum(d * d, axis=0) / dim + eps)
        tl.store(out_ptr + row * dim + c, d * inv * w + b + r, mask=mask)


class AddNormNew(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, residual):
        dim = x.shape[-1]
        rows = x.numel() // dim
        out = torch.empty_like(x)
        programs = min(rows, 4)
        add_norm_kernel[(programs,)](
            x.contiguous(), residual.contiguous(), self.norm.weight, self.norm.bias, out,
            rows, dim, self.norm.eps, PROGRAMS=programs, BLOCK=triton.next_power_of_2(dim),
        )
        return out
