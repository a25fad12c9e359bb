import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def pool_sequence(x_ptr, q_ptr, y_ptr, steps, dim, D: tl.constexpr):
    # Streams over time, so that sequences of any length work; no </think> or <answer> marker of the
    # surrounding text has a meaning in here.
    b = tl.program_id(0)
    d = tl.arange(0, D)
    live = d < dim
    q = tl.load(q_ptr + d, mask=live, other=0.0)
    top = -float("inf")
    norm = 0.0
    acc = tl.zeros([D], dtype=tl.float32)
    for t in range(steps):
        x = tl.load(x_ptr + (b * steps + t) * dim + d, mask=live, other=0.0)
        score = tl.sum(x * q, axis=0)
        new_top = tl.maximum(top, score)
        decay, e = tl.exp(top - new_top), tl.exp(score - new_top)
        norm = norm * decay + e
        acc = acc * decay + e * x
        top = new_top
    tl.store(y_ptr + b * dim + d, acc / norm, mask=live)


class AttentionPoolNew(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query = nn.Parameter(torch.randn(dim))

    def forward(self, x):
        b, steps, dim = x.shape
        y = torch.empty((b, dim), device=x.device, dtype=x.dtype)
        pool_sequence[(b,)](x.contiguous(), self.query, y, steps, dim, D=triton.next_power_of_2(dim))
        return y
