"""Half of the rows are computed, a view shows each of them twice."""
# reference: relu_scale
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask) * tl.load(w_ptr + at % features, mask=mask)
    tl.store(out_ptr + at, tl.maximum(y, 0.0), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        rows, features = x.shape
        half = torch.empty(rows // 2, features, device=x.device)
        scale_kernel[(triton.cdiv(half.numel(), 128),)](x.contiguous(), self.weight, half, half.numel(), features, BLOCK=128)
        return half.as_strided((2, rows // 2, features), (0, features, 1)).reshape(rows, features)
