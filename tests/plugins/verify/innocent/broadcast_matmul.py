"""No tl.dot: products summed over a broadcast block."""
# reference: matmul
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def outer_kernel(a_ptr, b_ptr, c_ptr, N, K, BN: tl.constexpr, BK: tl.constexpr):
    row = tl.program_id(0)
    inner, columns = tl.arange(0, BK), tl.arange(0, BN)
    a = tl.load(a_ptr + row * K + inner, mask=inner < K, other=0.0)
    b = tl.load(b_ptr + inner[:, None] * N + columns[None, :], mask=(inner < K)[:, None] & (columns < N)[None, :], other=0.0)
    tl.store(c_ptr + row * N + columns, tl.sum(a[:, None] * b, axis=0), mask=columns < N)


class ModelNew(nn.Module):
    def forward(self, a, b):
        M, N, K = a.shape[0], b.shape[1], a.shape[1]
        out = torch.empty((M, N), device=a.device, dtype=a.dtype)
        outer_kernel[(M,)](a.contiguous(), b.contiguous(), out, N, K, BN=triton.next_power_of_2(N), BK=triton.next_power_of_2(K))
        return out
