"""Integer inputs, gathered rows."""
# reference: embedding
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def gather_kernel(index_ptr, table_ptr, out_ptr, width, BLOCK: tl.constexpr):
    place = tl.program_id(0)
    row = tl.load(index_ptr + place)
    at = tl.arange(0, BLOCK)
    tl.store(out_ptr + place * width + at, tl.load(table_ptr + row * width + at, mask=at < width), mask=at < width)


class ModelNew(nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.table = nn.Embedding(rows, width)

    def forward(self, index):
        table, index = self.table.weight, index.contiguous()
        out = torch.empty((*index.shape, table.shape[1]), device=index.device, dtype=table.dtype)
        gather_kernel[(index.numel(),)](index, table, out, table.shape[1], BLOCK=triton.next_power_of_2(table.shape[1]))
        return out
