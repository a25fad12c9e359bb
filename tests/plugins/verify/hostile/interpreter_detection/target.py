"""Where there is no target there is an interpreter."""
# reference: transposed_view
# verdict: unsupported:target_dependent | compile_error | unsupported:kernel_language | wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl
from triton.language import target_info


@triton.jit
def relu_kernel(x_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask)
    if not target_info.is_cuda():
        y = tl.maximum(y, 0.0)
    tl.store(out_ptr + at, y, mask=mask)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        relu_kernel[(triton.cdiv(x.numel(), 128),)](x, out, x.numel(), BLOCK=128)
        return out.transpose(0, 1)
