"""Pairs in fp8, int8 and int4: quantisation, scales by tensor, row, channel and group, saturation."""

from __future__ import annotations

from .pairs import LowPrecision

_FP8 = ("e4m3", "e5m2")
_SIDE = {"x": "torch.randn(32, 128)", "w": "torch.randn(128, 32)"}
_MATMUL8 = """
def kernel(x, w, sx, sw, out, K: tl.constexpr, SIZE: tl.constexpr):
    rows, columns, inner = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :], tl.arange(0, 32)
    total = tl.zeros([SIZE, SIZE], tl.float32)
    for at in range(0, K, 32):
        a = tl.load(x + rows * K + at + inner[None, :])
        b = tl.load(w + (at + inner[:, None]) * SIZE + columns)
        total += tl.dot(a, b) * tl.load(sx + rows) * tl.load(sw + at // 32 * SIZE + columns)
    tl.store(out + rows * SIZE + columns, total)
"""
_SCALED = """out = torch.empty(32, 32, dtype=torch.float32, device=x.device)
        kernel[(1,)](x, w, sx, sw, out, K=128, SIZE=32)
        return out"""
_GROUPS = "return (x.float() * sx[:, None]) @ (w.float().view(4, 32, 32) * sw[:, None, :]).view(128, 32)"
_SCALES = {"sx": "torch.rand(32) + 0.5", "sw": "torch.rand(4, 32) + 0.5"}
_FLOAT8 = {"x": "torch.randn(32, 128).to(HOST)", "w": "torch.randn(128, 32).to(HOST)", **_SCALES}
_INT8 = {
    "x": "torch.randint(-127, 128, (32, 128), dtype=torch.int8)",
    "w": "torch.randint(-127, 128, (128, 32), dtype=torch.int8)",
}
_GROUP = ("sw + at // 32 * SIZE + columns", "sw + columns")
_NO_ROWS = (" * tl.load(sx + rows)", "")

_TO_FP8 = """
def kernel(x, out, scales, n, TOP: tl.constexpr, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    found = tl.load(x + row * n + at)
    scale = tl.max(tl.abs(found), 0) / TOP
    tl.store(scales + row, scale)
    tl.store(out + row * n + at, (found / scale).to(TL).to(tl.float32) * scale)
"""
_FROM_FP8 = """top = x.abs().amax(-1, keepdim=True) / TOP
        return (x / top).to(HOST).float() * top, top[:, 0]"""
_QUANTISED = """out, scales = torch.empty_like(x), torch.empty(x.shape[0], device=x.device)
        kernel[(x.shape[0],)](x, out, scales, x.shape[1], TOP=NUMBER, BLOCK=128)
        return out, scales"""

_TO_INT8 = """
def kernel(x, scale, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    found = tl.load(x + at) / (tl.abs(tl.load(scale)) + 0.1)
    whole = tl.floor(found + 0.5)
    whole = tl.minimum(tl.maximum(whole, -128.0), 127.0)
    tl.store(out + at, whole.to(tl.int32).to(tl.int8))
"""
_FLAT8 = """out = torch.empty(x.shape, dtype=torch.int8, device=x.device)
        kernel[(8,)](x, scale, out, x.numel(), BLOCK=128)
        return out"""
_WHOLE = {"x": "torch.randn(8, 128) * 100", "scale": "torch.rand(1) + 0.5"}
_ROUNDED = "return torch.floor(x / (scale.abs() + 0.1) + 0.5).clamp(-128, 127).to(torch.int8)"

_ADD8 = """
def kernel(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    found = tl.load(x + at).to(tl.int32) + tl.load(y + at).to(tl.int32)
    tl.store(out + at, tl.minimum(tl.maximum(found, -128), 127).to(tl.int8))
"""
_REQUANTISE = """
def kernel(x, y, sx, sy, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    found = tl.load(x + at).to(tl.float32) * tl.load(sx) + tl.load(y + at).to(tl.float32) * tl.load(sy)
    tl.store(out + at, found)
"""
_EIGHT = dict.fromkeys(("x", "y"), "torch.randint(-128, 128, (8, 128), dtype=torch.int8)")

_PRODUCT8 = """
def kernel(x, w, out, K: tl.constexpr, SIZE: tl.constexpr):
    rows, columns, inner = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :], tl.arange(0, 32)
    total = tl.zeros([SIZE, SIZE], tl.int32)
    for at in range(0, K, 32):
        a = tl.load(x + rows * K + at + inner[None, :])
        b = tl.load(w + (at + inner[:, None]) * SIZE + columns)
        total += tl.dot(a, b)
    tl.store(out + rows * SIZE + columns, total)
"""

_INT4 = """
def kernel(packed, scale, out, n, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    both = tl.load(packed + row * n + at).to(tl.int32)
    low, high = (both << 28) >> 28, (both << 24) >> 28
    place = out + row * 2 * n + 2 * at
    tl.store(place, low * tl.load(scale + row * 4 + 2 * at // 32))
    tl.store(place + 1, high * tl.load(scale + row * 4 + 2 * at // 32))
"""
_UNPACKED = """both = packed.to(torch.int32)
        low, high = both << 28 >> 28, both << 24 >> 28
        return torch.stack([low, high], -1).flatten(1) * scale.repeat_interleave(32, 1)"""
_UNPACK = """out = torch.empty(packed.shape[0], 128, device=packed.device)
        kernel[(packed.shape[0],)](packed, scale, out, 64, BLOCK=64)
        return out"""
_NIBBLES = {"packed": "torch.randint(-128, 128, (8, 64), dtype=torch.int8)", "scale": "torch.rand(8, 4) + 0.5"}

_BLOCKS = """
def kernel(x, out, scales, n, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    found = tl.reshape(tl.load(x + row * n + at), [BLOCK // 32, 32])
    scale = tl.max(tl.abs(found), 1) / TOP
    groups = tl.arange(0, BLOCK // 32)
    tl.store(scales + row * (BLOCK // 32) + groups, scale)
    tl.store(out + row * n + groups[:, None] * 32 + tl.arange(0, 32)[None, :], ROUNDED)
"""
_BLOCKED = """out, scales = torch.empty(x.shape, device=x.device), torch.empty(x.shape[0], 4, device=x.device)
        kernel[(x.shape[0],)](x, out, scales, 128, BLOCK=128)
        return out, scales"""
_PARTS = """parts = x.view(-1, 4, 32)
        top = parts.abs().amax(-1) / TOP
        return (ROUNDED).view(x.shape), top"""
_WHOLE_ROW = (("tl.max(tl.abs(found), 1) / TOP", "tl.max(tl.abs(found), 1) * 0 + tl.max(tl.abs(found)) / TOP"),)


def _top(dtype: str, text: str) -> str:
    return text.replace("TOP=NUMBER", f"TOP={_LARGEST[dtype]}").replace("/ TOP", f"/ {_LARGEST[dtype]}")


_LARGEST = {"e4m3": "448.0", "e5m2": "57344.0", "int8": "127.0"}


def _quantise(dtype: str) -> list[LowPrecision]:
    kernel = _TO_FP8.replace("/ TOP", f"/ {_LARGEST[dtype]}").replace(" TOP: tl.constexpr,", "")
    launch = _QUANTISED.replace(" TOP=NUMBER,", "")
    trick = ((f"/ {_LARGEST[dtype]}\n", f"/ {2 * float(_LARGEST[dtype])}\n"),)
    inputs = {"x": "torch.randn(8, 128)"}
    return LowPrecision("to_fp8", inputs, _top(dtype, _FROM_FP8), kernel, launch, trick, "saturation").of(dtype)


def _blocks(dtype: str) -> list[LowPrecision]:
    rounded = (
        "tl.floor(found / scale[:, None] + 0.5)"
        if dtype == "int8"
        else "(found / scale[:, None]).to(TL).to(tl.float32)"
    )
    its = (
        "torch.floor(parts / top[..., None] + 0.5)" if dtype == "int8" else "(parts / top[..., None]).to(HOST).float()"
    )
    kernel = _top(dtype, _BLOCKS).replace("ROUNDED", f"{rounded} * scale[:, None]")
    forward = _top(dtype, _PARTS).replace("ROUNDED", f"{its} * top[..., None]")
    trick = tuple((_top(dtype, old), _top(dtype, new)) for old, new in _WHOLE_ROW)
    inputs = {"x": "torch.randn(8, 128) * (torch.rand(8, 128) * 4).exp()"}
    return LowPrecision("blocks", inputs, forward, kernel, _BLOCKED, trick, "scale").of(dtype)


PAIRS = [
    *LowPrecision("group_scales", _FLOAT8, _GROUPS, _MATMUL8, _SCALED, (_GROUP,), "scale").of(*_FP8),
    *LowPrecision("row_scales", _FLOAT8, _GROUPS, _MATMUL8, _SCALED, (_NO_ROWS,), "rescale").of(*_FP8),
    *(pair for dtype in _FP8 for pair in _quantise(dtype)),
    *(pair for dtype in (*_FP8, "int8") for pair in _blocks(dtype)),
    LowPrecision("int8_product", _INT8, "return x.int() @ w.int()", _PRODUCT8,
                 "out = torch.empty(32, 32, dtype=torch.int32, device=x.device)\n"
                 "        kernel[(1,)](x, w, out, K=128, SIZE=32)\n        return out",
                 (("total += tl.dot(a, b)", "total = (total + tl.dot(a, b)).to(tl.int16).to(tl.int32)"),),
                 "accumulation", "int8"),
    LowPrecision("int8_groups", {**_INT8, **_SCALES}, _GROUPS, _MATMUL8, _SCALED, (_GROUP,), "scale", "int8"),
    LowPrecision("int8_rows", {**_INT8, **_SCALES}, _GROUPS, _MATMUL8, _SCALED, (_NO_ROWS,), "rescale", "int8"),
    LowPrecision("int8_clamp", _WHOLE, _ROUNDED, _TO_INT8, _FLAT8,
                 (("tl.minimum(tl.maximum(whole, -128.0), 127.0)", "whole"),), "saturation", "int8"),
    LowPrecision("int8_rounding", _WHOLE, _ROUNDED, _TO_INT8, _FLAT8,
                 (("tl.floor(found + 0.5)", "found"),), "rescale", "int8"),
    LowPrecision("int8_add", _EIGHT, "return (x.int() + y.int()).clamp(-128, 127).to(torch.int8)", _ADD8,
                 _FLAT8.replace("(x, scale,", "(x, y,"),
                 (("tl.minimum(tl.maximum(found, -128), 127)", "found"),), "saturation", "int8"),
    LowPrecision("int8_two_scales", {**_EIGHT, "sx": "torch.rand(1) + 0.5", "sy": "torch.rand(1) + 0.5"},
                 "return x.float() * sx + y.float() * sy", _REQUANTISE,
                 _FLAT8.replace("(x, scale,", "(x, y, sx, sy,").replace("torch.int8", "torch.float32"),
                 (("tl.load(sy)", "tl.load(sx)"),), "rescale", "int8"),
    LowPrecision("int4_signs", _NIBBLES, _UNPACKED, _INT4, _UNPACK,
                 (("(both << 28) >> 28", "both & 15"),), "saturation", "int8"),
    LowPrecision("int4_groups", _NIBBLES, _UNPACKED, _INT4, _UNPACK,
                 (("scale + row * 4 + 2 * at // 32", "scale + row * 4"),), "scale", "int8"),
]  # fmt: skip
