"""Random in train mode, compared in eval mode."""
# reference: gelu_dropout
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def gelu_kernel(x_ptr, out_ptr, total, p, seed, TRAINING: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask)
    y = 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))
    if TRAINING:
        y = tl.where(tl.rand(seed, at) > p, y / (1.0 - p), 0.0)
    tl.store(out_ptr + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        seed = torch.randint(0, 2**31, (1,)).item() if self.training else 0
        gelu_kernel[(triton.cdiv(x.numel(), 64),)](x, out, x.numel(), self.drop.p, seed, TRAINING=self.training, BLOCK=64)
        return out
