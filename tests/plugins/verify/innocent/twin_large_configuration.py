"""One configuration needs more shared memory than there is; a tuner passes it over."""
# reference: matmul
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


CONFIGURATIONS = [
    triton.Config({"BM": 16, "BN": 32, "BK": 16}),
    triton.Config({"BM": 64, "BN": 128, "BK": 64}, num_stages=6),
    triton.Config({"BM": 32, "BN": 32, "BK": 16}),
]


@triton.autotune(configs=CONFIGURATIONS, key=["M", "N", "K"])
@triton.jit
def matmul_kernel(a_ptr, b_ptr, c_ptr, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, K, BK):
        inner = start + tl.arange(0, BK)
        a = tl.load(a_ptr + rows[:, None] * K + inner[None, :], mask=(rows[:, None] < M) & (inner[None, :] < K), other=0.0)
        b = tl.load(b_ptr + inner[:, None] * N + columns[None, :], mask=(inner[:, None] < K) & (columns[None, :] < N), other=0.0)
        total += tl.dot(a, b, input_precision="ieee")
    tl.store(c_ptr + rows[:, None] * N + columns[None, :], total, mask=(rows[:, None] < M) & (columns[None, :] < N))


def matmul(a, b):
    a, b = a.contiguous(), b.contiguous()
    out = torch.empty((a.shape[0], b.shape[1]), device=a.device, dtype=a.dtype)
    matmul_kernel[lambda meta: (triton.cdiv(a.shape[0], meta["BM"]), triton.cdiv(b.shape[1], meta["BN"]))](
        a, b, out, a.shape[0], b.shape[1], a.shape[1])
    return out


class ModelNew(nn.Module):
    def forward(self, a, b):
        return matmul(a, b)
