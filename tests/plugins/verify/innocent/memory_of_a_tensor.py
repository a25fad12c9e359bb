"""A tensor that is put into the memory of the input."""
# reference: relu_once
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def k(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(out_ptr + at, tl.maximum(x, 0.0), mask=at < n)


class ModelNew(nn.Module):
    def forward(self, x):
        flat = torch.empty(0, device=x.device).set_(x.untyped_storage(), x.storage_offset(), (x.numel(),), (1,))
        out = torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 256),)](flat, out, x.numel(), BLOCK=256)
        return out
