import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def unit_rows(x_ptr, out_ptr, cols, x_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    mask = c < cols
    x = tl.load(x_ptr + row * x_stride + c, mask=mask, other=0.0)
    length = tl.sqrt(tl.sum(x * x, axis=0))
    tl.store(out_ptr + row * cols + c, x / tl.maximum(length, 1e-4), mask=mask)


class NormalizeNew(nn.Module):
    def forward(self, x):
        x = x if x.stride(1) == 1 else x.contiguous()
        out = torch.empty(x.shape, device=x.device, dtype=x.dtype)
        unit_rows[(x.shape[0],)](x, out, x.shape[1], x.stride(0), BLOCK=64)
        return out
