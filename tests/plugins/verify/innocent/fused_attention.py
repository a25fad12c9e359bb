"""Attention with a running maximum and sum, launched by an autograd function."""
# reference: attention
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def attention_kernel(q_ptr, k_ptr, v_ptr, out_ptr, sh, sm, sd, tokens, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    base = tl.program_id(1).to(tl.int64) * sh
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    features = tl.arange(0, D)
    q = tl.load(q_ptr + base + rows[:, None] * sm + features[None, :] * sd, mask=rows[:, None] < tokens, other=0.0)
    highest = tl.full((BM,), float("-inf"), dtype=tl.float32)
    weight = tl.zeros((BM,), dtype=tl.float32)
    total = tl.zeros((BM, D), dtype=tl.float32)
    for start in range(0, tokens, BN):
        columns = start + tl.arange(0, BN)
        inside = columns < tokens
        k = tl.load(k_ptr + base + columns[:, None] * sm + features[None, :] * sd, mask=inside[:, None], other=0.0)
        v = tl.load(v_ptr + base + columns[:, None] * sm + features[None, :] * sd, mask=inside[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
        scores = tl.where(inside[None, :], scores, float("-inf"))
        now = tl.maximum(highest, tl.max(scores, 1))
        share = tl.exp(scores - now[:, None])
        shrink = tl.exp(highest - now)
        weight = weight * shrink + tl.sum(share, 1)
        total = total * shrink[:, None] + tl.dot(share, v, input_precision="ieee")
        highest = now
    tl.store(out_ptr + base + rows[:, None] * sm + features[None, :] * sd, total / weight[:, None], mask=rows[:, None] < tokens)


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        q, k, v = (tensor.contiguous() for tensor in (q, k, v))
        batch, heads, tokens, features = q.shape
        out = torch.empty_like(q)
        grid = (triton.cdiv(tokens, 16), batch * heads)
        attention_kernel[grid](q, k, v, out, q.stride(1), q.stride(2), q.stride(3), tokens, features ** -0.5, D=features, BM=16, BN=16)
        ctx.save_for_backward(q, k, v, out)
        return out

    @staticmethod
    def backward(ctx, grad):
        raise NotImplementedError


class ModelNew(nn.Module):
    def forward(self, q, k, v):
        return Attention.apply(q, k, v)
