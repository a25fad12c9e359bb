import torch
import torch.nn as nn
import triton
import triton.language as tl


MESSAGE = "shapes do not agree; a closing </think> here is part of the code"


@triton.jit
def fused_kernel(x_ptr, bias_ptr, gain_ptr, y_ptr, n, channels, size, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    c = i // size % channels
    x = tl.load(x_ptr + i, mask=mask, other=0.0)
    bias = tl.load(bias_ptr + c, mask=mask, other=0.0)
    gain = tl.load(gain_ptr + c, mask=mask, other=0.0)
    y = (x + bias) * gain + x
    tl.store(y_ptr + i, tl.minimum(tl.maximum(y, -1.5), 1.5), mask=mask)


class NetNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(channels, 1, 1))
        self.gain = nn.Parameter(torch.randn(channels, 1, 1))

    def forward(self, x):
        assert x.shape[1] == self.bias.shape[0], MESSAGE
        x = x.contiguous()
        y = torch.empty_like(x)
        fused_kernel[(triton.cdiv(x.numel(), 64),)](
            x, self.bias, self.gain, y, x.numel(), x.shape[1], x.shape[2] * x.shape[3], BLOCK=64
        )
        return y
