"""float16 inputs, computed in float32."""
# reference: half_add
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def scaled_add_kernel(a_ptr, b_ptr, out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    a = tl.load(a_ptr + at, mask=mask).to(tl.float32)
    b = tl.load(b_ptr + at, mask=mask).to(tl.float32)
    tl.store(out_ptr + at, (a * 2 + b).to(tl.float16), mask=mask)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty_like(a)
        scaled_add_kernel[(triton.cdiv(a.numel(), 128),)](a.contiguous(), b.contiguous(), out, a.numel(), BLOCK=128)
        return out
