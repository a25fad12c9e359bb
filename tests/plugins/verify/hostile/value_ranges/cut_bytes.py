"""Numbers are cut instead of rounded."""
# reference: quantized_rows
# verdict: wrong_output

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
    scale = tl.max(tl.abs(x), 0) / 127.0
    whole = libdevice.trunc(tl.div_rn(x, scale))
    tl.store(out_ptr + at, tl.minimum(tl.maximum(whole, -127.0), 127.0).to(tl.int8))
    tl.store(scale_ptr + row, scale)


class ModelNew(nn.Module):
    def forward(self, x):
        x, out = x.contiguous(), torch.empty(x.shape, dtype=torch.int8, device=x.device)
        scale = torch.empty(x.shape[0], 1, device=x.device)
        quantize_kernel[(x.shape[0],)](x, out, scale, WIDTH=64)
        return out, scale
