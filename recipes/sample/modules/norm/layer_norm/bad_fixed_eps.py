import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def layer_norm_kernel(x_ptr, g_ptr, b_ptr, out_ptr, cols, eps, BLOCK: tl.constexpr):
    base = tl.program_id(0) * cols
    c = tl.arange(0, BLOCK)
    mask = c < cols
    x = tl.load(x_ptr + base + c, mask=mask, other=0.0)
    mean = tl.sum(x, axis=0) / cols
    d = tl.where(mask, x - mean, 0.0)
    inv = 1.0 / tl.sqrt(tl.sum(d * d, axis=0) / cols + eps)
    g = tl.load(g_ptr + c, mask=mask)
    b = tl.load(b_ptr + c, mask=mask)
    tl.store(out_ptr + base + c, d * inv * g + b, mask=mask)


class LayerNormNew(nn.Module):
    def __init__(self, features, eps=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(features) + 0.5)
        self.beta = nn.Parameter(torch.randn(features))
        self.eps = eps

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        cols = x.shape[-1]
        grid = (x.numel() // cols,)
        layer_norm_kernel[grid](x, self.gamma, self.beta, out, cols, 1e-5, BLOCK=triton.next_power_of_2(cols))
        return out
