"""A few programs walk over all tiles, in a loop that runs backwards for every other one."""
# reference: matmul
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def product_kernel(a_ptr, b_ptr, out_ptr, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PROGRAMS: tl.constexpr):
    across = tl.cdiv(N, BN)
    tiles = tl.cdiv(M, BM) * across
    for tile in tl.range(tl.program_id(0), tiles, PROGRAMS):
        row, column = tile // across, tile % across
        if row % 2 == 1:
            column = across - 1 - column
        rows = row * BM + tl.arange(0, BM)
        columns = column * BN + tl.arange(0, BN)
        total = tl.zeros((BM, BN), dtype=tl.float32)
        for step in range(tl.cdiv(K, BK) - 1, -1, -1):
            inner = step * BK + tl.arange(0, BK)
            a = tl.load(a_ptr + rows[:, None] * K + inner[None, :], mask=(rows[:, None] < M) & (inner[None, :] < K), other=0.0)
            b = tl.load(b_ptr + inner[:, None] * N + columns[None, :], mask=(inner[:, None] < K) & (columns[None, :] < N), other=0.0)
            total = tl.dot(a, b, total, input_precision="ieee")
        tl.store(out_ptr + rows[:, None] * N + columns[None, :], total, mask=(rows[:, None] < M) & (columns[None, :] < N))


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        out = a.new_empty(a.shape[0], b.shape[1])
        programs = min(3, torch.cuda.get_device_properties(a.device).multi_processor_count)
        product_kernel[(programs,)](a, b, out, a.shape[0], b.shape[1], a.shape[1], BM=16, BN=16, BK=16, PROGRAMS=programs)
        return out
