import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def causal_softmax_kernel(s_ptr, out_ptr, n, BLOCK: tl.constexpr):
    row, head = tl.program_id(0), tl.program_id(1)
    c = tl.arange(0, BLOCK)
    base = (head * n + row) * n
    s = tl.load(s_ptr + base + c, mask=c <= row, other=float("-inf"))
    e = tl.exp(s - tl.max(s, axis=0))
    tl.store(out_ptr + base + c, e / tl.sum(e, axis=0), mask=c < n)


class CausalSoftmaxNew(nn.Module):
    def forward(self, scores):
        n = scores.shape[-1]
        heads = scores.numel() // (n * n)
        out = torch.empty_like(scores)
        causal_softmax_kernel[(n, heads)](scores.contiguous(), out, n, BLOCK=triton.next_power_of_2(n))
        return out
