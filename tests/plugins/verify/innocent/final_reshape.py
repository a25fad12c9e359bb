"""A final reshape and a transposition."""
# reference: layernorm
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def norm_kernel(x_ptr, w_ptr, b_ptr, out_ptr, count, rows, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    mask = at < count
    x = tl.load(x_ptr + at * rows + row, mask=mask, other=0.0)
    mean = tl.sum(x, 0) / count
    centred = tl.where(mask, x - mean, 0.0)
    y = centred / tl.sqrt(tl.sum(centred * centred, 0) / count + 1e-5)
    tl.store(out_ptr + at * rows + row, y * tl.load(w_ptr + at, mask=mask) + tl.load(b_ptr + at, mask=mask), mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)

    def forward(self, x):
        columns = x.flatten(0, 1).t().contiguous()
        out = torch.empty_like(columns)
        norm_kernel[(columns.shape[1],)](columns, self.norm.weight, self.norm.bias, out, columns.shape[0], columns.shape[1], BLOCK=64)
        return out.t().reshape(x.shape)
