import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.autotune(configs=[triton.Config({"BM": 16, "BN": 16, "BK": 16}, num_stages=3)], key=["M", "N", "K"])
@triton.jit
def grouped_matmul(
    a_ptr, b_ptr, c_ptr, M, N, K, am, ak, bk, bn,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
):
    # Programs are renumbered in groups of rows, so that neighbours share columns of b.
    pid = tl.program_id(0)
    rows, cols = tl.cdiv(M, BM), tl.cdiv(N, BN)
    first = pid // (GROUP * cols) * GROUP
    height = min(rows - first, GROUP)
    pid_m = first + (pid % (GROUP * cols)) % height
    pid_n = (pid % (GROUP * cols)) // height
    m = pid_m * BM + tl.arange(0, BM)
    n = pid_n * BN + tl.arange(0, BN)
    k = tl.arange(0, BK)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, K, BK):
        left = (m[:, None] < M) & (start + k[None, :] < K)
        right = (start + k[:, None] < K) & (n[None, :] < N)
        a = tl.load(a_ptr + m[:, None] * am + (start + k[None, :]) * ak, mask=left, other=0.0)
        b = tl.load(b_ptr + (start + k[:, None]) * bk + n[None, :] * bn, mask=right, other=0.0)
        acc = tl.dot(a, b, acc, input_precision="ieee")
    tl.store(c_ptr + m[:, None] * N + n[None, :], acc, mask=(m[:, None] < M) & (n[None, :] < N))


class MatMulNew(nn.Module):
    def forward(self, a, b):
        (M, K), N = a.shape, b.shape[1]
        c = a.new_empty((M, N))
        grouped_matmul[lambda meta: (triton.cdiv(M, meta["BM"]) * triton.cdiv(N, meta["BN"]),)](
            a, b, c, M, N, K, *a.stride(), *b.stride(), GROUP=2
        )
        return c
