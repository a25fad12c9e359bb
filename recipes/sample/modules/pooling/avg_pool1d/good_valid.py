import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def avg_pool_kernel(x_ptr, y_ptr, length, out_len, stride, pad, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    t = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], dtype=tl.float32)
    count = tl.zeros([BLOCK], dtype=tl.float32)
    for k in tl.static_range(SIZE):
        src = t * stride - pad + k
        valid = (src >= 0) & (src < length)
        total += tl.load(x_ptr + row * length + src, mask=valid, other=0.0)
        count += valid.to(tl.float32)
    # Lanes past the end may have seen nothing at all.
    tl.store(y_ptr + row * out_len + t, total / tl.maximum(count, 1.0), mask=t < out_len)


class AvgPool1dNew(nn.Module):
    def __init__(self, size, stride):
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, x):
        n, c, length = x.shape
        pad = self.size // 2
        out_len = (length + 2 * pad - self.size) // self.stride + 1
        y = torch.empty((n, c, out_len), device=x.device, dtype=x.dtype)
        avg_pool_kernel[(n * c, triton.cdiv(out_len, 8))](
            x.contiguous(), y, length, out_len, self.stride, pad, SIZE=self.size, BLOCK=8
        )
        return y
