"""Multiplied by the reciprocal, one of some ten thousand numbers is a rounding from a half and goes the other way."""
# reference: many_quantized_rows
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl

from triton.language.extra import libdevice


@triton.jit
def quantize_kernel(x_ptr, out_ptr, scale_ptr, WIDTH: tl.constexpr):
    row = tl.program_id(0)
    at = row * WIDTH + tl.arange(0, WIDTH)
    x = tl.load(x_ptr + at)
    largest = tl.maximum(tl.max(tl.abs(x), 0), 1e-8)
    tl.store(out_ptr + at, libdevice.rint(x * (127.0 / largest)).to(tl.int8))
    tl.store(scale_ptr + row, largest / 127.0)


class ModelNew(nn.Module):
    def forward(self, x):
        rows, width = x.shape
        out = torch.empty(rows, width, dtype=torch.int8, device=x.device)
        scale = torch.empty(rows, 1, device=x.device)
        quantize_kernel[(rows,)](x, out, scale, WIDTH=width)
        return out, scale
