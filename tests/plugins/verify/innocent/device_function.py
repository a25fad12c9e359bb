"""A helper kernel that is called by the kernel."""
# reference: layernorm
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def moments(x, mask, count):
    mean = tl.sum(x, 0) / count
    centred = tl.where(mask, x - mean, 0.0)
    return centred, tl.sum(centred * centred, 0) / count


@triton.jit
def norm_kernel(x_ptr, w_ptr, b_ptr, out_ptr, count, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    mask = at < count
    x = tl.load(x_ptr + row * count + at, mask=mask, other=0.0)
    centred, variance = moments(x, mask, count)
    y = centred * tl.rsqrt(variance + eps) * tl.load(w_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask)
    tl.store(out_ptr + row * count + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1]).contiguous()
        out = torch.empty_like(flat)
        norm_kernel[(flat.shape[0],)](flat, self.norm.weight, self.norm.bias, out, flat.shape[1], self.norm.eps,
                                      BLOCK=triton.next_power_of_2(flat.shape[1]))
        return out.view(x.shape)
