"""The block size by a heuristic."""
# reference: softmax
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.heuristics({"BLOCK": lambda args: triton.next_power_of_2(args["columns"])})
@triton.jit
def heuristic_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + at, mask=at < columns, other=-float("inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(out_ptr + row * columns + at, e / tl.sum(e, 0), mask=at < columns)



class RowSoftmaxNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        heuristic_kernel[(x.shape[0],)](x.contiguous(), out, x.shape[1])
        return out
