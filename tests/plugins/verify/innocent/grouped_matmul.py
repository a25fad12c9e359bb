"""Programs are renumbered for the cache."""
# reference: matmul
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def grouped_kernel(a_ptr, b_ptr, c_ptr, M, N, K, BLOCK: tl.constexpr, GROUP: tl.constexpr):
    pid = tl.program_id(0)
    across = tl.cdiv(N, BLOCK)
    in_group = GROUP * across
    first = pid // in_group * GROUP
    size = min(tl.cdiv(M, BLOCK) - first, GROUP)
    rows = (first + pid % in_group % size) * BLOCK + tl.arange(0, BLOCK)
    columns = pid % in_group // size * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    for k in range(0, tl.cdiv(K, BLOCK)):
        inner = k * BLOCK + tl.arange(0, BLOCK)
        a = tl.load(a_ptr + rows[:, None] * K + inner[None, :], mask=(rows < M)[:, None] & (inner < K)[None, :], other=0.0)
        b = tl.load(b_ptr + inner[:, None] * N + columns[None, :], mask=(inner < K)[:, None] & (columns < N)[None, :], other=0.0)
        total += tl.dot(a, b, allow_tf32=False)
    tl.store(c_ptr + rows[:, None] * N + columns[None, :], total, mask=(rows < M)[:, None] & (columns < N)[None, :])


class ModelNew(nn.Module):
    def forward(self, a, b):
        M, N, K = a.shape[0], b.shape[1], a.shape[1]
        out = torch.empty((M, N), device=a.device, dtype=torch.float32)
        grouped_kernel[(triton.cdiv(M, 16) * triton.cdiv(N, 16),)](a.contiguous(), b.contiguous(), out, M, N, K, BLOCK=16, GROUP=2)
        return out
