"""Versions of Triton and of torch decide which way is taken."""
# reference: linear_of_parameters
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

@triton.jit
def mm(a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, sam, sak, sbn, sbk, scm, scn,
       BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, SPLIT: tl.constexpr):
    pid = tl.program_id(0)
    ks = tl.program_id(1)
    nn_ = tl.cdiv(N, BN)
    pm, pn = pid // nn_, pid % nn_
    rm = pm * BM + tl.arange(0, BM)
    rn = pn * BN + tl.arange(0, BN)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(ks, tl.cdiv(K, BK), SPLIT):
        rk = k * BK + tl.arange(0, BK)
        a = tl.load(a_ptr + rm[:, None] * sam + rk[None, :] * sak, mask=(rm[:, None] < M) & (rk[None, :] < K), other=0.0)
        b = tl.load(b_ptr + rn[None, :] * sbn + rk[:, None] * sbk, mask=(rn[None, :] < N) & (rk[:, None] < K), other=0.0)
        acc += tl.dot(a, b, input_precision="ieee")
    if ks == 0:
        acc += tl.load(bias_ptr + rn, mask=rn < N, other=0.0)[None, :]
    p = c_ptr + rm[:, None] * scm + rn[None, :] * scn
    m = (rm[:, None] < M) & (rn[None, :] < N)
    if SPLIT == 1:
        tl.store(p, acc, mask=m)
    else:
        tl.atomic_add(p, acc, mask=m)

from packaging import version
import importlib.metadata
TRITON_3 = version.parse(triton.__version__) >= version.parse("3.0.0")
V = tuple(int(p) for p in importlib.metadata.version("triton").split(".")[:2])
if hasattr(tl, "make_tensor_descriptor") and TRITON_3 and V >= (3, 0):
    MODE = "new"
else:
    MODE = "old"
IS_HIP = torch.version.hip is not None
WARP = 64 if IS_HIP else 32


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(24, 48))
        self.bias = nn.Parameter(torch.randn(24))

    def forward(self, x):
        M, K = x.shape
        N = self.weight.shape[0]
        S = 1
        c = torch.empty((M, N), device=x.device, dtype=x.dtype)
        mm[(triton.cdiv(M, 16) * triton.cdiv(N, 16), S)](x, self.weight, self.bias, c, M, N, K, x.stride(0), x.stride(1), self.weight.stride(0), self.weight.stride(1), c.stride(0), c.stride(1), BM=16, BN=16, BK=16, SPLIT=S)
        return c
