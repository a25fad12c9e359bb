import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def merge(mean_a, m2_a, n_a, mean_b, m2_b, n_b):
    n = n_a + n_b
    delta = mean_b - mean_a
    share = tl.where(n > 0.0, n_b / tl.maximum(n, 1.0), 0.0)
    return mean_a + delta * share, m2_a + m2_b + delta * delta * n_a * share, n


@triton.jit
def welford_kernel(x_ptr, out_ptr, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    mask = c < cols
    x = tl.load(x_ptr + row * cols + c, mask=mask, other=0.0)
    mean, m2, n = tl.reduce((x, tl.zeros_like(x), mask.to(tl.float32)), 0, merge)
    tl.store(out_ptr + row, m2 / (n - 1.0))


class VarianceLastNew(nn.Module):
    def forward(self, x):
        rows = x.numel() // x.shape[-1]
        out = torch.empty((*x.shape[:-1], 1), dtype=x.dtype, device=x.device)
        welford_kernel[(rows,)](x.contiguous(), out, x.shape[-1], BLOCK=32)
        return out
