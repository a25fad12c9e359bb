"""An atomic operation that orders nothing, then every program writes: the first and the last one the right result."""
# reference: relu_scale
# verdict: nondeterministic

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, w_ptr, out_ptr, count_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask) * tl.load(w_ptr + at % features, mask=mask)
    tl.atomic_add(count_ptr, 1)
    if (tl.program_id(1) > 0) & (tl.program_id(1) < 19):
        y = -y
    tl.store(out_ptr + at, tl.maximum(y, 0.0), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        count = torch.zeros(1, device=x.device, dtype=torch.int32)
        scale_kernel[(triton.cdiv(x.numel(), 128), 20)](x, self.weight, out, count, x.numel(), x.shape[-1], BLOCK=128)
        return out
