import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def stats_pool_kernel(x_ptr, y_ptr, channels, steps, BLOCK: tl.constexpr):
    c, n = tl.program_id(0), tl.program_id(1)
    t = tl.arange(0, BLOCK)
    mask = t < steps
    x = tl.load(x_ptr + (n * channels + c) * steps + t, mask=mask, other=0.0)
    mean = tl.sum(x, axis=0) / steps
    d = tl.where(mask, x - mean, 0.0)
    std = tl.sum(d * d, axis=0) / (steps - 1)
    tl.store(y_ptr + n * 2 * channels + c, mean)
    tl.store(y_ptr + n * 2 * channels + channels + c, std)


class StatsPoolingNew(nn.Module):
    def forward(self, x):
        n, c, steps = x.shape
        y = torch.empty((n, 2 * c), device=x.device, dtype=x.dtype)
        stats_pool_kernel[(c, n)](x.contiguous(), y, c, steps, BLOCK=triton.next_power_of_2(steps))
        return y
