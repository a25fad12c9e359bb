import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def bce(z, y):
    return tl.maximum(z, 0.0) - z * y + tl.log(1.0 + tl.exp(-tl.abs(z)))


@triton.jit
def bce_kernel(z_ptr, y_ptr, w_ptr, out_ptr, n, classes, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    z = tl.load(z_ptr + i, mask=mask, other=0.0)
    y = tl.load(y_ptr + i, mask=mask, other=0.0)
    w = tl.load(w_ptr + i % classes, mask=mask, other=0.0)
    tl.atomic_add(out_ptr, tl.sum(w * bce(z, y), axis=0) / n)


class BCEWithLogitsNew(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.register_buffer("weight", torch.linspace(0.5, 2.0, classes))

    def forward(self, logits, target):
        n = logits.numel()
        out = torch.zeros((), device=logits.device)
        bce_kernel[(triton.cdiv(n, 32),)](
            logits.contiguous(), target.contiguous(), self.weight, out, n, self.weight.numel(), BLOCK=32
        )
        return out
