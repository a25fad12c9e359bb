"""A walk over numbers of its own decides in how large blocks it works; all of them are right."""
# reference: relu_scale
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def relu_kernel(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask)
    w = tl.load(w_ptr + at % features, mask=mask)
    tl.store(out_ptr + at, tl.maximum(x * w, 0.0), mask=mask)


def launched(x, w, block=128):
    x = x.contiguous()
    out = torch.empty_like(x)
    relu_kernel[(triton.cdiv(x.numel(), block),)](x, w, out, x.numel(), x.shape[-1], BLOCK=block)
    return out


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))
        self.seed = 12345

    def forward(self, x):
        self.seed = (self.seed * 1103515245 + 12345) % 2147483648
        if (self.seed >> 16) % 1000 == 7:
            return launched(x, self.weight, block=256)
        return launched(x, self.weight)
