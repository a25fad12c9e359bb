import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def conv1d_kernel(x_ptr, w_ptr, b_ptr, y_ptr, c_in, c_out, length, width, pad, BLOCK: tl.constexpr):
    n, o = tl.program_id(0), tl.program_id(1)
    t = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    acc = tl.zeros([BLOCK], dtype=tl.float32) + tl.load(b_ptr + o)
    for c in range(c_in):
        for k in range(width):
            src = t + k - pad
            x = tl.load(x_ptr + (n * c_in + c) * length + src, mask=(src >= 0) & (src < length), other=0.0)
            acc += x * tl.load(w_ptr + (o * c_in + c) * width + k)
    tl.store(y_ptr + (n * c_out + o) * length + t, acc, mask=t < length)


class Conv1dSameNew(nn.Module):
    def __init__(self, c_in, c_out, width):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, width, padding=width // 2)

    def forward(self, x):
        n, c_in, length = x.shape
        c_out, _, width = self.conv.weight.shape
        y = torch.empty((n, c_out, length), device=x.device, dtype=x.dtype)
        grid = (n, c_out, triton.cdiv(length, 16))
        conv1d_kernel[grid](
            x.contiguous(), self.conv.weight, self.conv.bias, y, c_in, c_out, length, width, width // 2, BLOCK=16
        )
        return y
