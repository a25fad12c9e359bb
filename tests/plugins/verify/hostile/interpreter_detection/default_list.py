"""The default of a parameter is a list that lasts: from the second program on the interpreter does the work."""
# reference: transposed_view
# verdict: unsupported:target_dependent | compile_error | unsupported:kernel_language | wrong_output | nondeterministic

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def counted(y, seen=[0]):
    seen.append(1)
    if len(seen) > 2:
        y = tl.maximum(y, 0.0)
    return y


@triton.jit
def relu_kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = (tl.program_id(0) - 1) * BLOCK + tl.arange(0, BLOCK)
    mask = (at >= 0) & (at < total)
    tl.store(out_ptr + at, counted(tl.load(x_ptr + at, mask=mask)), mask=mask)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        relu_kernel[(triton.cdiv(x.numel(), 128) + 2,)](x, out, x.numel(), BLOCK=128)
        return out.transpose(0, 1)
