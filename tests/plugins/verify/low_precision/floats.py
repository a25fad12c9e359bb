"""Pairs in bf16 and fp16: sums, products, norms, softmax, attention, scans."""

from __future__ import annotations

from .pairs import LowPrecision

_SUM = """
def kernel(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros([BLOCK], tl.float32)
    for at in range(0, n, BLOCK):
        found = tl.load(x + row * n + at + tl.arange(0, BLOCK)).to(tl.float32)
        total += found
    tl.store(out + row, tl.sum(total.to(tl.float32), 0))
"""
_ROW = """out = torch.empty(x.shape[0], dtype=x.dtype, device=x.device)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=16)
        return out"""
_NARROW_TOTAL = (("tl.zeros([BLOCK], tl.float32)", "tl.zeros([BLOCK], TL)"), ("BLOCK)).to(tl.float32)", "BLOCK))"))
_LONG = {"x": "torch.randn(32, 8192).to(HOST)"}

_NORM = """
def kernel(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros([BLOCK], tl.float32)
    for at in range(0, n, BLOCK):
        found = tl.load(x + row * n + at + tl.arange(0, BLOCK)).to(tl.float32)
        total += found * found
    scale = tl.rsqrt(tl.sum(total.to(tl.float32), 0) / n + 1e-6)
    for at in range(0, n, BLOCK):
        place = row * n + at + tl.arange(0, BLOCK)
        tl.store(out + place, tl.load(x + place).to(tl.float32) * scale)
"""
_LIKE = """out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=16)
        return out"""

_MATMUL = """
def kernel(x, w, out, K, SIZE: tl.constexpr, STEP: tl.constexpr):
    rows, columns, inner = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :], tl.arange(0, STEP)
    total = tl.zeros([SIZE, SIZE], tl.float32)
    for at in range(0, K, STEP):
        a = tl.load(x + rows * K + at + inner[None, :])
        b = tl.load(w + (at + inner[:, None]) * SIZE + columns)
        total += tl.dot(a, b)
    tl.store(out + rows * SIZE + columns, total)
"""
_PRODUCT = """out = torch.empty(32, 32, dtype=x.dtype, device=x.device)
        kernel[(1,)](x, w, out, x.shape[1], SIZE=32, STEP=16)
        return out"""

_DOT = """
def kernel(x, w, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros([BLOCK], tl.float32)
    for at in range(0, n, BLOCK):
        place = at + tl.arange(0, BLOCK)
        total += tl.load(x + row * n + place).to(tl.float32) * tl.load(w + place).to(tl.float32)
    tl.store(out + row, tl.sum(total.to(tl.float32), 0))
"""

_SOFTMAX = """
def kernel(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    most = tl.full([BLOCK], float("-inf"), tl.float32)
    for at in range(0, n, BLOCK):
        most = tl.maximum(most, tl.load(x + row * n + at + tl.arange(0, BLOCK)).to(tl.float32))
    top = tl.max(most, 0)
    total = tl.zeros([BLOCK], tl.float32)
    for at in range(0, n, BLOCK):
        found = tl.exp(tl.load(x + row * n + at + tl.arange(0, BLOCK)).to(tl.float32) - top)
        total += found.to(tl.float32)
    for at in range(0, n, BLOCK):
        place = row * n + at + tl.arange(0, BLOCK)
        found = tl.exp(tl.load(x + place).to(tl.float32) - top)
        tl.store(out + place, found / tl.sum(total.to(tl.float32), 0))
"""

_LOGSUMEXP = """
def kernel(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    top, total = float("-inf"), 0.0
    for at in range(0, n, BLOCK):
        found = tl.load(x + row * n + at + tl.arange(0, BLOCK)).to(tl.float32)
        new = tl.maximum(top, tl.max(found, 0))
        total = total * tl.exp(top - new) + tl.sum(tl.exp(found - new), 0)
        top = new
    tl.store(out + row, tl.log(total) + top)
"""

_ATTENTION = """
def kernel(q, k, v, out, n, SIZE: tl.constexpr):
    head, rows, columns = tl.program_id(0) * n * SIZE, tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :]
    asked = tl.load(q + head + tl.program_id(1) * SIZE * SIZE + rows * SIZE + columns)
    top, total = tl.full([SIZE], float("-inf"), tl.float32), tl.zeros([SIZE], tl.float32)
    found = tl.zeros([SIZE, SIZE], tl.float32)
    for at in range(0, n, SIZE):
        keys = tl.load(k + head + (at + columns) * SIZE + rows)
        score = tl.dot(asked, keys) * 0.17677669529663687
        new = tl.maximum(top, tl.max(score, 1))
        weight = tl.exp(score - new[:, None])
        old = tl.exp(top - new)
        total = total * old + tl.sum(weight, 1)
        found = found * old[:, None] + tl.dot(weight.to(TL), tl.load(v + head + (at + rows) * SIZE + columns))
        top = new
    tl.store(out + head + tl.program_id(1) * SIZE * SIZE + rows * SIZE + columns, found / total[:, None])
"""

_CUMSUM = """
def kernel(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    carry = 0.0
    for at in range(0, n, BLOCK):
        place = row * n + at + tl.arange(0, BLOCK)
        found = tl.load(x + place).to(tl.float32)
        tl.store(out + place, tl.cumsum(found, 0) + carry)
        carry += tl.sum(found, 0)
"""

_AVERAGE = """
def kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    state = tl.zeros([BLOCK], tl.float32)
    for step in range(n):
        state = (state * 0.99 + tl.load(x + step * BLOCK + at).to(tl.float32) * 0.01).to(tl.float32)
    tl.store(out + at, state)
"""

_CONVOLUTION = """
def kernel(x, w, out, n, TAPS: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.float32)
    for tap in range(TAPS):
        product = tl.load(x + at + tap).to(tl.float32) * tl.load(w + tap).to(tl.float32)
        total = (total + product).to(tl.float32)
    tl.store(out + at, total)
"""

_UNSCALE = """
def kernel(x, scale, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    place = row * n + tl.arange(0, BLOCK)
    found = tl.load(x + place).to(tl.float32) / tl.load(scale)
    tl.store(out + place, tl.minimum(tl.maximum(found, -1.0), 1.0))
"""

_LENGTH = """
def kernel(x, out, n, BLOCK: tl.constexpr):
    place = tl.program_id(0) * n + tl.arange(0, BLOCK)
    found = tl.load(x + place).to(tl.float32)
    tl.store(out + tl.program_id(0), tl.sqrt(tl.sum((found * found).to(tl.float32), 0)))
"""

_QKV = dict.fromkeys("qkv", "torch.randn(2, 128, 32).to(HOST)")
_BOTH = ("bf16", "fp16")

PAIRS = [
    *LowPrecision("row_sum", _LONG, "return x.sum(-1)", _SUM, _ROW, _NARROW_TOTAL, "accumulation").of(*_BOTH),
    *LowPrecision(
        "rms_norm", {"x": "torch.randn(8, 8192).to(HOST)"},
        "return (x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)",
        _NORM, _LIKE, _NARROW_TOTAL, "accumulation",
    ).of(*_BOTH),
    *LowPrecision(
        "matmul", {"x": "torch.randn(32, 4096).to(HOST)", "w": "torch.randn(4096, 32).to(HOST)"}, "return x @ w",
        _MATMUL, _PRODUCT, (("SIZE, SIZE], tl.float32", "SIZE, SIZE], TL"), ("tl.dot(a, b)", "tl.dot(a, b).to(TL)")),
        "accumulation",
    ).of(*_BOTH),
    *LowPrecision(
        "dot_product", {**_LONG, "w": "torch.randn(8192).to(HOST)"}, "return x @ w", _DOT,
        _ROW.replace("(x, out", "(x, w, out"),
        (_NARROW_TOTAL[0], ("place).to(tl.float32)", "place)")), "accumulation",
    ).of(*_BOTH),
    *LowPrecision(
        "softmax", {"x": "torch.rand(4, 8192).to(HOST)"}, "return torch.softmax(x * 1.0, -1)", _SOFTMAX, _LIKE,
        (("tl.zeros([BLOCK], tl.float32)", "tl.zeros([BLOCK], TL)"), ("found.to(tl.float32)", "found.to(TL)")),
        "accumulation",
    ).of("bf16"),
    *LowPrecision(
        "logsumexp", {"x": "(torch.randn(16, 512) * 4).to(HOST)"}, "return torch.logsumexp(x, -1)", _LOGSUMEXP,
        _ROW.replace("BLOCK=16", "BLOCK=32"), (("total * tl.exp(top - new)", "total"),), "rescale",
    ).of(*_BOTH),
    *LowPrecision(
        "attention", _QKV, "return torch.softmax(q @ k.transpose(1, 2) * 32**-0.5, -1) @ v", _ATTENTION,
        "out = torch.empty_like(q)\n        kernel[(2, 4)](q, k, v, out, q.shape[1], SIZE=32)\n        return out",
        (("found * old[:, None] +", "found +"),), "rescale",
    ).of(*_BOTH),
    *LowPrecision(
        "attention_total", _QKV, "return torch.softmax(q @ k.transpose(1, 2) * 32**-0.5, -1) @ v", _ATTENTION,
        "out = torch.empty_like(q)\n        kernel[(2, 4)](q, k, v, out, q.shape[1], SIZE=32)\n        return out",
        (("total * old +", "total +"),), "rescale",
    ).of(*_BOTH),
    *LowPrecision(
        "cumsum", {"x": "torch.rand(8, 4096).to(HOST)"}, "return torch.cumsum(x.float(), -1).to(x.dtype)", _CUMSUM,
        _LIKE, (("carry = 0.0", "carry = tl.full([], 0.0, TL)"), ("tl.sum(found, 0)", "tl.sum(found, 0).to(TL)")),
        "accumulation",
    ).of("bf16"),
    *LowPrecision(
        "moving_average", {"x": "torch.rand(512, 64).to(HOST)"},
        "state = torch.zeros(64)\n        for row in x.float():\n            state = state * 0.99 + row * 0.01\n"
        "        return state.to(x.dtype)",
        _AVERAGE,
        "out = torch.empty(64, dtype=x.dtype, device=x.device)\n"
        "        kernel[(1,)](x, out, x.shape[0], BLOCK=64)\n        return out",
        (("* 0.01).to(tl.float32)", "* 0.01).to(TL).to(tl.float32)"),), "accumulation",
    ).of(*_BOTH),
    *LowPrecision(
        "convolution", {"x": "torch.rand(1535).to(HOST)", "w": "torch.rand(1024).to(HOST)"},
        "return torch.nn.functional.conv1d(x[None, None], w[None, None])[0, 0]", _CONVOLUTION,
        "out = torch.empty(512, dtype=x.dtype, device=x.device)\n"
        "        kernel[(4,)](x, w, out, 512, TAPS=1024, BLOCK=128)\n        return out",
        (("(total + product).to(tl.float32)", "(total + product).to(TL).to(tl.float32)"),), "accumulation",
    ).of(*_BOTH),
    *LowPrecision(
        "unscale", {"x": "(torch.randn(8, 64) * 64).to(HOST)", "scale": "torch.rand(1) * 64 + 32"},
        "return (x.float() / scale).clamp(-1, 1).to(x.dtype)", _UNSCALE,
        "out = torch.empty_like(x)\n        kernel[(8,)](x, scale, out, 64, BLOCK=64)\n        return out",
        (("/ tl.load(scale)", "/ 64"),),
        "rescale",
    ).of(*_BOTH),
    *LowPrecision(
        "length", {"x": "(torch.randn(16, 256) * 30).to(HOST)"}, "return x.float().norm(dim=-1).to(x.dtype)", _LENGTH,
        _ROW.replace("BLOCK=16", "BLOCK=256"),
        (("(found * found).to(tl.float32)", "(found * found).to(TL).to(tl.float32)"), (" + place).to(tl.float32)",
         " + place).to(tl.float32) * 16"), ("tl.sqrt(", "0.0625 * tl.sqrt(")),
        "saturation",
    ).of("fp16"),
]  # fmt: skip
