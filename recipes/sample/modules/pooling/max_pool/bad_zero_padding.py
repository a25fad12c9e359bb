import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def max_pool_kernel(x_ptr, y_ptr, h, w, ho, wo, BLOCK: tl.constexpr):
    plane = tl.program_id(0)
    p = tl.arange(0, BLOCK)
    live = p < ho * wo
    best = tl.full([BLOCK], float("-inf"), dtype=tl.float32)
    for k in tl.static_range(9):
        i = p // wo * 2 - 1 + k // 3
        j = p % wo * 2 - 1 + k % 3
        inside = live & (i >= 0) & (i < h) & (j >= 0) & (j < w)
        best = tl.maximum(best, tl.load(x_ptr + (plane * h + i) * w + j, mask=inside, other=0.0))
    tl.store(y_ptr + plane * ho * wo + p, best, mask=live)


class MaxPoolNew(nn.Module):
    def forward(self, x):
        n, c, h, w = x.shape
        ho, wo = (h - 1) // 2 + 1, (w - 1) // 2 + 1
        y = torch.empty((n, c, ho, wo), device=x.device, dtype=x.dtype)
        max_pool_kernel[(n * c,)](x.contiguous(), y, h, w, ho, wo, BLOCK=triton.next_power_of_2(ho * wo))
        return y
