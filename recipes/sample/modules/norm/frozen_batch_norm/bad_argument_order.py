import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def frozen_bn(x_ptr, w_ptr, b_ptr, mean_ptr, var_ptr, out_ptr, n, channels, size, eps, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    c = (i // size) % channels
    scale = tl.load(w_ptr + c, mask=mask) * tl.rsqrt(tl.load(var_ptr + c, mask=mask, other=1.0) + eps)
    shift = tl.load(b_ptr + c, mask=mask) - tl.load(mean_ptr + c, mask=mask) * scale
    x = tl.load(x_ptr + i, mask=mask)
    tl.store(out_ptr + i, x * scale + shift, mask=mask)


class FrozenBatchNormNew(nn.Module):
    def __init__(self, channels, eps=1e-5):
        super().__init__()
        self.eps = eps
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.ones(channels))

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        c, size = x.shape[1], x.shape[2] * x.shape[3]
        frozen_bn[(triton.cdiv(x.numel(), 64),)](
            x, self.weight, self.bias, self.running_var, self.running_mean, out,
            x.numel(), c, size, self.eps, BLOCK=64,
        )
        return out
