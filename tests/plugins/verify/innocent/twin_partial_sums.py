"""A kernel makes partial sums, torch puts them together."""
# reference: sum_of_relu
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def partial_sums(x_ptr, o_ptr, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    x = tl.load(x_ptr + i, mask=i < n, other=0.0)
    tl.store(o_ptr + tl.program_id(0), tl.sum(tl.maximum(x, 0.0), 0))


class Model(nn.Module):
    def forward(self, x):
        programs = triton.cdiv(x.numel(), 256)
        partial = torch.empty(programs, device=x.device)
        partial_sums[(programs,)](x, partial, x.numel(), B=256)
        return partial.sum()
