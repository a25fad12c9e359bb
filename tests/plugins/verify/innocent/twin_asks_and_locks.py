"""Asks whether it is traced, holds a lock, marks a range, and tells the allocator of its stream."""
# reference: relu_scale
# verdict: pass

import threading

import torch
import torch.nn as nn
import triton
import triton.language as tl


lock = threading.Lock()


@triton.jit
def scale_kernel(x_ptr, weight_ptr, out_ptr, total, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    x = tl.load(x_ptr + at, mask=mask) * tl.load(weight_ptr + at % WIDTH, mask=mask)
    tl.store(out_ptr + at, tl.maximum(x, 0.0), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    @torch.compiler.disable
    def forward(self, x):
        if torch.jit.is_scripting() or x.untyped_storage().device.type != "cuda":
            return torch.relu(x * self.weight)
        out = torch.empty_like(x)
        torch.cuda.nvtx.range_push("scale")
        with lock:
            scale_kernel[(triton.cdiv(x.numel(), 128),)](x, self.weight, out, x.numel(), x.shape[1], BLOCK=128)
        torch.cuda.nvtx.range_pop()
        out.record_stream(torch.cuda.current_stream())
        return out
