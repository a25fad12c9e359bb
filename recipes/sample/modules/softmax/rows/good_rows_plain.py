import torch
import triton
import triton.language as tl
from torch import nn

@triton.jit
def softmax_kernel(x_ptr, out_ptr, cols, BLOCK: tl.constexpr):
    base = tl.program_id(0) * cols
    c = tl.arange(0, BLOCK)
    mask = c < cols
    x = tl.load(x_ptr + base + c, mask=mask, other=-float('inf'))
    e = tl.exp(x - tl.max(x, axis=0))
    tl.store(out_ptr + base + c, e / tl.sum(e, axis=0), mask=mask)

class SoftmaxNew(nn.Module):

    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        cols = x.shape[-1]
        softmax_kernel[x.numel() // cols,](x, out, cols, BLOCK=triton.next_power_of_2(cols))
        return out
