"""Passes strides instead of making things contiguous."""
# reference: linear
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def linear_kernel(x_ptr, w_ptr, b_ptr, out_ptr, M, N, K, sxm, sxk, swn, swk, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, tl.cdiv(K, BK)):
        inner = start * BK + tl.arange(0, BK)
        x = tl.load(x_ptr + rows[:, None] * sxm + inner[None, :] * sxk, mask=(rows[:, None] < M) & (inner[None, :] < K), other=0.0)
        w = tl.load(w_ptr + columns[None, :] * swn + inner[:, None] * swk, mask=(columns[None, :] < N) & (inner[:, None] < K), other=0.0)
        total = tl.dot(x, w, total, input_precision="ieee")
    total += tl.load(b_ptr + columns, mask=columns < N, other=0.0)[None, :]
    tl.store(out_ptr + rows[:, None] * N + columns[None, :], total, mask=(rows[:, None] < M) & (columns[None, :] < N))


class ModelNew(nn.Module):
    def __init__(self, inner, outer):
        super().__init__()
        self.linear = nn.Linear(inner, outer)

    def forward(self, x):
        weight, bias = self.linear.weight, self.linear.bias
        out = torch.empty((x.shape[0], weight.shape[0]), device=x.device, dtype=x.dtype)
        linear_kernel[(triton.cdiv(x.shape[0], 16), triton.cdiv(weight.shape[0], 16))](
            x, weight, bias, out, x.shape[0], weight.shape[0], x.shape[1],
            x.stride(0), x.stride(1), weight.stride(0), weight.stride(1), BM=16, BN=16, BK=16)
        return out
