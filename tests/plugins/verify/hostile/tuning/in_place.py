"""A tuner runs a kernel that works in place several times over."""
# reference: twice_and_one
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.autotune(configs=[triton.Config({"BLOCK": 64}), triton.Config({"BLOCK": 128})], key=["total"])
@triton.jit
def line_kernel(out_ptr, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(out_ptr + at, mask=at < total) * 2.0 + 1.0, mask=at < total)


class ModelNew(nn.Module):
    def forward(self, x):
        out = x.clone()
        line_kernel[lambda meta: (triton.cdiv(out.numel(), meta["BLOCK"]),)](out, out.numel())
        return out
