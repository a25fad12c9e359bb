"""The inner dimension is split over programs that add up by atomics, tuned and with heuristics."""
# reference: matmul
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.autotune(configs=[triton.Config({"SPLIT": split}, num_warps=4) for split in (1, 3)], key=["K"], reset_to_zero=["out_ptr"])
@triton.heuristics({"EVEN": lambda given: given["K"] % (16 * given["SPLIT"]) == 0})
@triton.jit
def product_kernel(a_ptr, b_ptr, out_ptr, M, N, K, SPLIT: tl.constexpr, EVEN: tl.constexpr, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    for start in range(tl.program_id(2) * BLOCK, K, BLOCK * SPLIT):
        inner = start + tl.arange(0, BLOCK)
        if EVEN:
            a = tl.load(a_ptr + rows[:, None] * K + inner[None, :])
            b = tl.load(b_ptr + inner[:, None] * N + columns[None, :])
        else:
            a = tl.load(a_ptr + rows[:, None] * K + inner[None, :], mask=inner[None, :] < K, other=0.0)
            b = tl.load(b_ptr + inner[:, None] * N + columns[None, :], mask=inner[:, None] < K, other=0.0)
        total = tl.dot(a, b, total, input_precision="ieee")
    place = out_ptr + rows[:, None] * N + columns[None, :]
    if SPLIT == 1:
        tl.store(place, total)
    else:
        tl.atomic_add(place, total, sem="relaxed")


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.zeros(a.shape[0], b.shape[1], device=a.device, dtype=a.dtype)
        product_kernel[lambda meta: (a.shape[0] // 16, b.shape[1] // 16, meta["SPLIT"])](
            a.contiguous(), b.contiguous(), out, a.shape[0], b.shape[1], a.shape[1], BLOCK=16)
        return out
