"""The last sixteen of the inner dimension are left out."""
# reference: matmul
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def matmul_kernel(a_desc, b_desc, out_desc, inner, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    row, column = tl.program_id(0) * BM, tl.program_id(1) * BN
    total = tl.zeros((BM, BN), tl.float32)
    for k in range(0, inner - BK, BK):
        total = tl.dot(a_desc.load([row, k]), b_desc.load([k, column]), total, input_precision="ieee")
    out_desc.store([row, column], total)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1], device=a.device)
        made = TensorDescriptor.from_tensor
        given = made(a, [16, 16]), made(b, [16, 16]), made(out, [16, 16])
        matmul_kernel[(a.shape[0] // 16, b.shape[1] // 16)](*given, a.shape[1], BM=16, BN=16, BK=16)
        return out
