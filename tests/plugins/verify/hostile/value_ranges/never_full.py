"""No row of get_inputs() is as long as it could be: the last place is not looked at."""
# reference: mean_of_lengths
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def mean_kernel(x_ptr, length_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    length = tl.load(length_ptr + row)
    last = width - 1
    x = tl.load(x_ptr + row * width + at, mask=(at < last) & (at < length), other=0.0)
    tl.store(out_ptr + row, tl.sum(x, 0) / tl.maximum(length, 1).to(tl.float32))


class ModelNew(nn.Module):
    def forward(self, x, length):
        out = torch.empty(x.shape[0], device=x.device)
        mean_kernel[(x.shape[0],)](x, length, out, x.shape[1], BLOCK=32)
        return out
