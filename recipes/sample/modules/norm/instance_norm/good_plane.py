import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def stats_kernel(x_ptr, mean_ptr, inv_ptr, size, eps, BLOCK: tl.constexpr):
    plane = tl.program_id(0)
    total = tl.zeros([BLOCK], dtype=tl.float32)
    squares = tl.zeros([BLOCK], dtype=tl.float32)
    for start in range(0, size, BLOCK):
        i = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + plane * size + i, mask=i < size, other=0.0)
        total += x
        squares += x * x
    mean = tl.sum(total, axis=0) / size
    var = tl.sum(squares, axis=0) / size - mean * mean
    tl.store(mean_ptr + plane, mean)
    tl.store(inv_ptr + plane, 1.0 / tl.sqrt(var + eps))


@triton.jit
def apply_kernel(x_ptr, mean_ptr, inv_ptr, out_ptr, size, BLOCK: tl.constexpr):
    plane = tl.program_id(0)
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + plane * size + i, mask=i < size)
    y = (x - tl.load(mean_ptr + plane)) * tl.load(inv_ptr + plane)
    tl.store(out_ptr + plane * size + i, y, mask=i < size)


class InstanceNorm2dNew(nn.Module):
    def __init__(self, eps=1e-5):
        super().__init__()
        self.eps = eps

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.contiguous()
        out = torch.empty_like(x)
        mean = torch.empty(n * c, device=x.device)
        inv = torch.empty_like(mean)
        stats_kernel[(n * c,)](x, mean, inv, h * w, self.eps, BLOCK=32)
        apply_kernel[(n * c, triton.cdiv(h * w, 32))](x, mean, inv, out, h * w, BLOCK=32)
        return out
