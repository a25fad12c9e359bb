"""Parameters of other names are filled by position."""
# reference: layernorm
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def norm_kernel(x_ptr, w_ptr, b_ptr, out_ptr, count, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    mask = at < count
    x = tl.load(x_ptr + row * count + at, mask=mask, other=0.0)
    mean = tl.sum(x, 0) / count
    centred = tl.where(mask, x - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / count + 1e-5)
    y = centred * scale * tl.load(w_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask)
    tl.store(out_ptr + row * count + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(features))
        self.beta = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        rows = x.numel() // x.shape[-1]
        norm_kernel[(rows,)](x, self.gamma, self.beta, out, x.shape[-1], BLOCK=triton.next_power_of_2(x.shape[-1]))
        return out
