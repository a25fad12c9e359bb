"""A number that is no constant has more bits in the interpreter than on a device."""
# reference: transposed_view
# verdict: wrong_output | unsupported:target_dependent

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def relu_kernel(x_ptr, out_ptr, total, factor, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask)
    if factor * 1e-30 * 1e-30 > 0.0:
        y = tl.maximum(y, 0.0)
    tl.store(out_ptr + at, y, mask=mask)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        relu_kernel[(triton.cdiv(x.numel(), 128),)](x, out, x.numel(), 1.5, BLOCK=128)
        return out.transpose(0, 1)
