import torch
import triton
import triton.language as tl
from torch import nn


@triton.autotune(configs=[triton.Config({"ROWS": 8, "CHUNK": 16}, num_warps=4)], key=["cols"])
@triton.jit
def sum_tiles(x_ptr, out_ptr, rows, cols, ROWS: tl.constexpr, CHUNK: tl.constexpr):
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    acc = tl.zeros([ROWS], dtype=tl.float32)
    for start in range(0, cols - CHUNK, CHUNK):
        c = start + tl.arange(0, CHUNK)
        mask = (r[:, None] < rows) & (c[None, :] < cols)
        acc += tl.sum(tl.load(x_ptr + r[:, None] * cols + c[None, :], mask=mask, other=0.0), axis=1)
    tl.store(out_ptr + r, acc, mask=r < rows)


class RowSumNew(nn.Module):
    def forward(self, x):
        rows, cols = x.numel() // x.shape[-1], x.shape[-1]
        out = x.new_empty(rows)
        sum_tiles[lambda meta: (triton.cdiv(rows, meta["ROWS"]),)](x.contiguous(), out, rows, cols)
        return out.view(x.shape[:-1])
