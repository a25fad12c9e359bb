"""A mask that hides too little."""
# reference: causal_attention
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def attn(Q, K, V, O, sm_scale, S, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    bh = tl.program_id(1)
    start_m = tl.program_id(0)
    offs_m = start_m * BM + tl.arange(0, BM)
    offs_d = tl.arange(0, D)
    q = tl.load(Q + bh * S * D + offs_m[:, None] * D + offs_d[None, :])
    m_i = tl.full([BM], float("-inf"), dtype=tl.float32)
    l_i = tl.zeros([BM], dtype=tl.float32)
    acc = tl.zeros([BM, D], dtype=tl.float32)
    qk_scale = sm_scale * 1.44269504
    for start_n in range(0, (start_m + 1) * BM, BN):
        start_n = tl.multiple_of(start_n, BN)
        offs_n = start_n + tl.arange(0, BN)
        k = tl.load(K + bh * S * D + offs_n[None, :] * D + offs_d[:, None])
        qk = tl.dot(q, k) * qk_scale
        qk += tl.where(offs_m[:, None] >= offs_n[None, :], 0, -4.0)
        m_new = tl.maximum(m_i, tl.max(qk, 1))
        p = tl.math.exp2(qk - m_new[:, None])
        alpha = tl.math.exp2(m_i - m_new)
        l_i = l_i * alpha + tl.sum(p, 1)
        acc = acc * alpha[:, None]
        v = tl.load(V + bh * S * D + offs_n[:, None] * D + offs_d[None, :])
        acc += tl.dot(p.to(v.dtype), v)
        m_i = m_new
    tl.store(O + bh * S * D + offs_m[:, None] * D + offs_d[None, :], acc / l_i[:, None])


class ModelNew(nn.Module):
    def forward(self, q, k, v):
        o = torch.empty_like(q)
        b, n, s, d = q.shape
        attn[(triton.cdiv(s, 32), b * n)](q, k, v, o, d ** -0.5, s, D=d, BM=32, BN=32)
        return o
