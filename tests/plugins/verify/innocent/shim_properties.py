"""Chooses a grid from the number of multiprocessors."""
# reference: relu_scale
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def persistent_kernel(x_ptr, w_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    for start in range(tl.program_id(0) * BLOCK, total, tl.num_programs(0) * BLOCK):
        at = start + tl.arange(0, BLOCK)
        mask = at < total
        x = tl.load(x_ptr + at, mask=mask)
        w = tl.load(w_ptr + at % features, mask=mask)
        tl.store(out_ptr + at, tl.where(x * w > 0, x * w, 0.0), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        count = torch.cuda.get_device_properties(x.device).multi_processor_count
        out = torch.empty_like(x)
        persistent_kernel[(min(count, 3),)](x, self.weight, out, x.numel(), x.shape[-1], BLOCK=64)
        return out
