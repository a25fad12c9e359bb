"""The last expert is taken for the one before it."""
# reference: expert_scale
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, expert_ptr, scales_ptr, out_ptr, WIDTH: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, WIDTH)
    scale = tl.load(scales_ptr + tl.minimum(tl.load(expert_ptr + row), 2) * WIDTH + at)
    tl.store(out_ptr + row * WIDTH + at, tl.load(x_ptr + row * WIDTH + at) * scale)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.scales = nn.Parameter(torch.randn(4, 16))

    def forward(self, x, expert):
        out = torch.empty_like(x)
        scale_kernel[(x.shape[0],)](x, expert, self.scales, out, WIDTH=16)
        return out
