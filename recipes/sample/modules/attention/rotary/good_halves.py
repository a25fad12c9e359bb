import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def rotary_kernel(x_ptr, freq_ptr, out_ptr, steps, half, BLOCK: tl.constexpr):
    t, b = tl.program_id(0), tl.program_id(1)
    d = tl.arange(0, BLOCK)
    mask = d < half
    angle = t * tl.load(freq_ptr + d, mask=mask, other=0.0)
    c, s = tl.cos(angle), tl.sin(angle)
    base = (b * steps + t) * 2 * half + d
    first = tl.load(x_ptr + base, mask=mask)
    second = tl.load(x_ptr + base + half, mask=mask)
    tl.store(out_ptr + base, first * c - second * s, mask=mask)
    tl.store(out_ptr + base + half, first * s + second * c, mask=mask)


class RotaryEmbeddingNew(nn.Module):
    def __init__(self, dim, base=100.0):
        super().__init__()
        self.register_buffer("freq", base ** (-torch.arange(0, dim, 2) / dim))

    def forward(self, x):
        b, steps, dim = x.shape
        out = torch.empty((b, steps, dim), device=x.device, dtype=x.dtype)
        rotary_kernel[(steps, b)](x.contiguous(), self.freq, out, steps, dim // 2, BLOCK=8)
        return out
