"""Tensor cores in every type, pipelines of two and three stages, attention."""

import torch
import triton
import triton.language as tl

from tests.plugins.ptx.harness import Case

M, N, K = 80, 72, 96


@triton.jit
def matmul(
    a, b, c, m, n, k, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, precision: tl.constexpr, acc: tl.constexpr
):
    rows, columns = tl.program_id(0) * BM + tl.arange(0, BM), tl.program_id(1) * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), acc)
    for start in range(0, k, BK):
        depth = start + tl.arange(0, BK)
        left = tl.load(a + rows[:, None] * k + depth[None, :], (rows[:, None] < m) & (depth[None, :] < k), other=0.0)
        right = tl.load(
            b + depth[:, None] * n + columns[None, :], (depth[:, None] < k) & (columns[None, :] < n), other=0.0
        )
        total = tl.dot(left, right, total, input_precision=precision, out_dtype=acc)
    where = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(c + rows[:, None] * n + columns[None, :], total.to(c.dtype.element_ty), where)


@triton.jit
def transposed(a, b, c, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows, columns, depth = tl.arange(0, BM), tl.arange(0, BN), tl.arange(0, BK)
    left = tl.load(a + depth[:, None] * BM + rows[None, :])
    right = tl.load(b + columns[:, None] * BK + depth[None, :])
    tl.store(c + rows[:, None] * BN + columns[None, :], tl.dot(tl.trans(left), tl.trans(right)))


@triton.jit
def batched(a, b, c, B: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    i, rows, columns, depth = tl.arange(0, B)[:, None, None], tl.arange(0, BM), tl.arange(0, BN), tl.arange(0, BK)
    left = tl.load(a + i * BM * BK + rows[None, :, None] * BK + depth[None, None, :])
    right = tl.load(b + i * BK * BN + depth[None, :, None] * BN + columns[None, None, :])
    tl.store(c + i * BM * BN + rows[None, :, None] * BN + columns[None, None, :], tl.dot(left, right))


@triton.jit
def split_k(a, b, c, m, n, k, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows, columns = tl.program_id(0) * BM + tl.arange(0, BM), tl.program_id(1) * BN + tl.arange(0, BN)
    depth = tl.program_id(2) * BK + tl.arange(0, BK)
    left = tl.load(a + rows[:, None] * k + depth[None, :], (rows[:, None] < m) & (depth[None, :] < k), other=0.0)
    right = tl.load(b + depth[:, None] * n + columns[None, :], (depth[:, None] < k) & (columns[None, :] < n), other=0.0)
    where = (rows[:, None] < m) & (columns[None, :] < n)
    tl.atomic_add(c + rows[:, None] * n + columns[None, :], tl.dot(left, right), where)


@triton.jit
def grouped(a, b, bias, c, m, n, k, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, G: tl.constexpr):
    pid = tl.program_id(0)
    across, along = tl.cdiv(n, BN), tl.cdiv(m, BM)
    first = pid // (G * across) * G
    size = min(along - first, G)
    rows = (first + pid % (G * across) % size) * BM + tl.arange(0, BM)
    columns = (pid % (G * across) // size) * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), tl.float32)
    left, right = (
        a + (rows[:, None] % m) * k + tl.arange(0, BK)[None, :],
        b + tl.arange(0, BK)[:, None] * n + columns[None, :] % n,
    )
    for _ in range(tl.cdiv(k, BK)):
        total += tl.dot(tl.load(left), tl.load(right))
        left += BK
        right += BK * n
    total = tl.maximum(total + tl.load(bias + columns[None, :] % n), 0.0)
    tl.store(
        c + rows[:, None] * n + columns[None, :], total.to(tl.float16), (rows[:, None] < m) & (columns[None, :] < n)
    )


@triton.jit
def attention(q, k, v, out, n, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, causal: tl.constexpr):
    rows, width = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, D)
    base = tl.program_id(1) * n * D
    queries = tl.load(q + base + rows[:, None] * D + width[None, :], rows[:, None] < n, other=0.0)
    best, total = tl.full((BM,), -float("inf"), tl.float32), tl.zeros((BM,), tl.float32)
    acc = tl.zeros((BM, D), tl.float32)
    end = n
    if causal:
        end = tl.minimum(n, (tl.program_id(0) + 1) * BM)
    for start in range(0, end, BN):
        at = start + tl.arange(0, BN)
        keys = tl.load(k + base + at[None, :] * D + width[:, None], at[None, :] < n, other=0.0)
        scores = tl.dot(queries, keys) * scale
        keep = at[None, :] < n
        if causal:
            keep = keep & (rows[:, None] >= at[None, :])
        scores = tl.where(keep, scores, -float("inf"))
        new = tl.maximum(best, tl.max(scores, 1))
        p = tl.exp2((scores - new[:, None]) * 1.44269504)
        change = tl.exp2((best - new) * 1.44269504)
        total = total * change + tl.sum(p, 1)
        values = tl.load(v + base + at[:, None] * D + width[None, :], at[:, None] < n, other=0.0)
        acc = acc * change[:, None] + tl.dot(p.to(values.dtype), values)
        best = new
    acc = acc / total[:, None]
    tl.store(out + base + rows[:, None] * D + width[None, :], acc.to(out.dtype.element_ty), rows[:, None] < n)


def operands(dtype, out, precision="tf32", acc=tl.float32, block=32, depth=32):
    def build():
        if dtype == torch.int8:
            a, b = torch.randint(-128, 128, (M, K), dtype=dtype), torch.randint(-128, 128, (K, N), dtype=dtype)
        else:
            a, b = torch.randn(M, K).to(dtype), torch.randn(K, N).to(dtype)
        return {
            "a": a,
            "b": b,
            "c": torch.zeros(M, N, dtype=out),
            "m": M,
            "n": N,
            "k": K,
            "BM": block,
            "BN": block,
            "BK": depth,
            "precision": precision,
            "acc": acc,
        }

    return build


def product(a):
    return {"c": a["a"].double() @ a["b"].double()}


def dot(name, dtype, out, tolerance, target=80, warps=4, stages=3, **more):
    return Case(
        f"dot_{name}",
        matmul,
        (3, 3),
        operands(dtype, out, **more),
        product,
        tolerance,
        target,
        {"num_warps": warps, "num_stages": stages},
    )


def heads(dtype):
    return lambda: {
        **{x: torch.randn(2, 100, 32).to(dtype) for x in "qkv"},
        "out": torch.zeros(2, 100, 32, dtype=dtype),
        "n": 100,
        "scale": 32**-0.5,
        "D": 32,
        "BM": 32,
        "BN": 32,
        "causal": False,
    }


def attended(a):
    return {
        "out": torch.nn.functional.scaled_dot_product_attention(*(a[x].double() for x in "qkv"), is_causal=a["causal"])
    }


f16, bf16, f32, e4, e5 = (getattr(torch, n) for n in ("float16", "bfloat16", "float32", "float8_e4m3fn", "float8_e5m2"))

CASES = [
    dot("f16", f16, f32, 1e-6),
    dot("f16_f16", f16, f16, 1e-3),
    dot("f16_accumulator_f16", f16, f16, 1e-2, acc=tl.float16),
    dot("bf16", bf16, f32, 1e-6),
    dot("bf16_bf16", bf16, bf16, 4e-3),
    dot("bf16_two_stages", bf16, f32, 1e-6, stages=2),
    dot("bf16_one_stage", bf16, f32, 1e-6, stages=1),
    dot("bf16_eight_warps", bf16, f32, 1e-6, warps=8),
    dot("bf16_one_warp", bf16, f32, 1e-6, warps=1),
    dot("bf16_deep", bf16, f32, 1e-6, depth=64, stages=4),
    dot("tf32", f32, f32, 2e-3),
    dot("ieee", f32, f32, 1e-6, precision="ieee"),
    dot("tf32x3", f32, f32, 5e-6, precision="tf32x3"),
    dot("f64", torch.float64, torch.float64, 1e-14, acc=tl.float64, precision="ieee"),
    dot("int8", torch.int8, torch.int32, 0, acc=tl.int32),
    dot("e4m3", e4, f32, 1e-6, target=89),
    dot("e5m2", e5, f32, 1e-6, target=89),
    dot("e5m2_on_sm_80", e5, f32, 1e-6),
    Case(
        "dot_transposed",
        transposed,
        (1,),
        lambda: {
            "a": torch.randn(32, 32).to(bf16),
            "b": torch.randn(64, 32).to(bf16),
            "c": torch.zeros(32, 64),
            "BM": 32,
            "BN": 64,
            "BK": 32,
        },
        lambda a: {"c": a["a"].double().T @ a["b"].double().T},
        1e-6,
    ),
    Case(
        "dot_batched",
        batched,
        (1,),
        lambda: {
            "a": torch.randn(4, 32, 16).to(f16),
            "b": torch.randn(4, 16, 32).to(f16),
            "c": torch.zeros(4, 32, 32),
            "B": 4,
            "BM": 32,
            "BN": 32,
            "BK": 16,
        },
        lambda a: {"c": a["a"].double() @ a["b"].double()},
        1e-6,
    ),
    Case(
        "dot_split_k",
        split_k,
        (3, 3, 3),
        lambda: {
            "a": torch.randn(M, K).to(f16),
            "b": torch.randn(K, N).to(f16),
            "c": torch.zeros(M, N),
            "m": M,
            "n": N,
            "k": K,
            "BM": 32,
            "BN": 32,
            "BK": 32,
        },
        product,
        1e-6,
    ),
    Case(
        "dot_grouped_bias_relu",
        grouped,
        (9,),
        lambda: {
            "a": torch.randn(M, K).to(f16),
            "b": torch.randn(K, N).to(f16),
            "bias": torch.randn(N),
            "c": torch.zeros(M, N, dtype=f16),
            "m": M,
            "n": N,
            "k": K,
            "BM": 32,
            "BN": 32,
            "BK": 32,
            "G": 2,
        },
        lambda a: {"c": torch.relu(a["a"].double() @ a["b"].double() + a["bias"])},
        1e-3,
    ),
    *[
        Case(f"attention_{str(t)[6:]}", attention, (4, 2), heads(t), attended, e, options={"num_stages": 2})
        for t, e in ((f16, 2e-3), (bf16, 1e-2), (f32, 3e-3))
    ],
    Case(
        "attention_causal",
        attention,
        (4, 2),
        lambda: {**heads(bf16)(), "causal": True},
        attended,
        1e-2,
        options={"num_stages": 3},
    ),
]
