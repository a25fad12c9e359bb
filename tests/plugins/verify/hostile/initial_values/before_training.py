"""The bias is copied when the module is built, before it is given values."""
# reference: affine_norm
# verdict: wrong_output | runtime_error

import torch
import torch.nn as nn
import triton
import triton.language as tl



@triton.jit
def norm_kernel(x_ptr, w_ptr, b_ptr, out_ptr, features, eps, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    mask = at < features
    x = tl.load(x_ptr + tl.program_id(0) * features + at, mask=mask, other=0.0)
    mean = tl.sum(x, 0) / features
    centred = tl.where(mask, x - mean, 0.0)
    y = centred / tl.sqrt(tl.sum(centred * centred, 0) / features + eps)
    y = y * tl.load(w_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask)
    tl.store(out_ptr + tl.program_id(0) * features + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.shift = self.norm.bias.detach().clone()

    def forward(self, x):
        norm, x = self.norm, x.contiguous()
        out = torch.empty_like(x)
        norm_kernel[(x.numel() // x.shape[-1],)](x, norm.weight, self.shift, out, x.shape[-1], norm.eps,
                                                 BLOCK=triton.next_power_of_2(x.shape[-1]))
        return out
