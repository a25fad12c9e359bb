"""It takes the strides of its input as they are."""
# reference: pixels_first
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def upsample_kernel(x_ptr, out_ptr, channels, height, width, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel, pixel = at % channels, at // channels
    column, row, image = pixel % (2 * width), pixel // (2 * width) % (2 * height), pixel // (4 * width * height)
    source = ((image * height + row // 2) * width + column // 2) * channels + channel
    tl.store(out_ptr + at, tl.load(x_ptr + source, mask=at < total), mask=at < total)


class ModelNew(nn.Module):
    def forward(self, x):
        assert x.is_contiguous(memory_format=torch.channels_last)
        images, channels, height, width = x.shape
        shape = (images, channels, 2 * height, 2 * width)
        out = torch.empty(shape, device=x.device, memory_format=torch.channels_last)
        total = out.numel()
        upsample_kernel[(triton.cdiv(total, 128),)](x, out, channels, height, width, total, BLOCK=128)
        return out
