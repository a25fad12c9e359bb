"""Convolutions, attention and fused layers at the sizes of KernelBench's levels 1 and 2, each with a right kernel.

The texts are written for this project, in the ways in which such kernels are usually written: one program for some
elements of the output, for a tile of a plane, or for a tile of the product that a convolution is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_HEAD = """import torch
import torch.nn as nn
import torch.nn.functional as F
"""
_KERNEL_HEAD = """import math

import torch
import torch.nn as nn
import triton
import triton.language as tl

"""


@dataclass(frozen=True)
class Layer:
    """A layer at its published sizes, and a candidate for it."""

    name: str
    reference: str
    candidate: str


def _reference(sizes: str, parameters: str, made: str, forward: str, given: str, inputs: str = "x") -> str:
    names = f", {parameters}" if parameters else ""
    return f"""{_HEAD}
{sizes}


class Model(nn.Module):
    def __init__(self{names}):
        super().__init__()
        {made}

    def forward(self, {inputs}):
        {forward}


def get_inputs():
    return [{given}]


def get_init_inputs():
    return [{parameters}]
"""


def _candidate(kernel: str, parameters: str, made: str, forward: str, inputs: str = "x") -> str:
    names = f", {parameters}" if parameters else ""
    return f"""{_KERNEL_HEAD}
{kernel}

class ModelNew(nn.Module):
    def __init__(self{names}):
        super().__init__()
        {made}

    def forward(self, {inputs}):
{forward}
"""


_CONV1D = """@triton.jit
def conv1d(x_ptr, w_ptr, out_ptr, channels, length, filters, made, WIDTH: tl.constexpr, STEP: tl.constexpr,
           DILATION: tl.constexpr, BLOCK_F: tl.constexpr, BLOCK_L: tl.constexpr):
    batch = tl.program_id(0).to(tl.int64)
    f = tl.program_id(1) * BLOCK_F + tl.arange(0, BLOCK_F)
    at = tl.program_id(2) * BLOCK_L + tl.arange(0, BLOCK_L)
    acc = tl.zeros((BLOCK_F, BLOCK_L), dtype=tl.float32)
    for c in range(channels):
        for k in tl.static_range(WIDTH):
            x = tl.load(x_ptr + (batch * channels + c) * length + at * STEP + k * DILATION, mask=at < made, other=0.0)
            w = tl.load(w_ptr + (f * channels + c) * WIDTH + k, mask=f < filters, other=0.0)
            acc += w[:, None] * x[None, :]
    out = out_ptr + (batch * filters + f[:, None]) * made + at[None, :]
    tl.store(out, acc, mask=(f[:, None] < filters) & (at[None, :] < made))

"""
_CONV1D_FORWARD = """        weight = self.conv.weight
        batch, channels, length = x.shape
        filters, _, width = weight.shape
        step, dilation = self.conv.stride[0], self.conv.dilation[0]
        made = (length - dilation * (width - 1) - 1) // step + 1
        out = torch.empty(batch, filters, made, device=x.device, dtype=x.dtype)
        grid = (batch, triton.cdiv(filters, 32), triton.cdiv(made, 128))
        conv1d[grid](x, weight, out, channels, length, filters, made, width, step, dilation, BLOCK_F=32, BLOCK_L=128)
        return out"""
_CONV2D_FLAT = """@triton.jit
def conv2d(x_ptr, w_ptr, b_ptr, out_ptr, total, channels, height, width, filters, rows, columns,
           KH: tl.constexpr, KW: tl.constexpr, STEP: tl.constexpr, PAD: tl.constexpr, BIAS: tl.constexpr,
           BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    column = at % columns
    row = (at // columns) % rows
    f = (at // (columns * rows)) % filters
    n = at // (columns * rows * filters)
    acc = tl.zeros((BLOCK,), dtype=tl.float32)
    for c in range(channels):
        for i in tl.static_range(KH):
            for j in tl.static_range(KW):
                y = row * STEP - PAD + i
                z = column * STEP - PAD + j
                inside = mask & (y >= 0) & (y < height) & (z >= 0) & (z < width)
                x = tl.load(x_ptr + ((n * channels + c) * height + y) * width + z, mask=inside, other=0.0)
                w = tl.load(w_ptr + ((f * channels + c) * KH + i) * KW + j, mask=mask, other=0.0)
                acc += x * w
    if BIAS:
        acc += tl.load(b_ptr + f, mask=mask, other=0.0)
    tl.store(out_ptr + at, acc, mask=mask)

"""
_CONV2D_FLAT_FORWARD = """        weight, bias = self.conv.weight, self.conv.bias
        batch, channels, height, width = x.shape
        filters, _, kh, kw = weight.shape
        step, pad = self.conv.stride[0], self.conv.padding[0]
        rows = (height + 2 * pad - kh) // step + 1
        columns = (width + 2 * pad - kw) // step + 1
        out = torch.empty(batch, filters, rows, columns, device=x.device, dtype=x.dtype)
        grid = (triton.cdiv(out.numel(), 256),)
        conv2d[grid](x, weight, bias, out, out.numel(), channels, height, width, filters, rows, columns,
                     KH=kh, KW=kw, STEP=step, PAD=pad, BIAS=bias is not None, BLOCK=256)
        return out"""
_CONV2D_PRODUCT = """@triton.jit
def conv2d(x_ptr, w_ptr, b_ptr, out_ptr, N, C, H, W, F, OH, OW,
           sxn, sxc, sxh, sxw, swf, swc, swh, sww, son, sof, soh, sow,
           KH: tl.constexpr, KW: tl.constexpr, STRIDE: tl.constexpr, PAD: tl.constexpr, BIAS: tl.constexpr,
           BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    pid_m = tl.program_id(0)
    pid_n = tl.program_id(1)
    offs_m = pid_m * BLOCK_M + tl.arange(0, BLOCK_M)
    offs_n = pid_n * BLOCK_N + tl.arange(0, BLOCK_N)
    n = offs_m // (OH * OW)
    rest = offs_m % (OH * OW)
    oh = rest // OW
    ow = rest % OW
    K = C * KH * KW
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k0 in range(0, K, BLOCK_K):
        offs_k = k0 + tl.arange(0, BLOCK_K)
        c = offs_k // (KH * KW)
        r = offs_k % (KH * KW)
        kh = r // KW
        kw = r % KW
        ih = oh[:, None] * STRIDE - PAD + kh[None, :]
        iw = ow[:, None] * STRIDE - PAD + kw[None, :]
        x_ptrs = x_ptr + n.to(tl.int64)[:, None] * sxn + c[None, :] * sxc + ih * sxh + iw * sxw
        x_mask = (n[:, None] < N) & (offs_k[None, :] < K) & (ih >= 0) & (ih < H) & (iw >= 0) & (iw < W)
        a = tl.load(x_ptrs, mask=x_mask, other=0.0)
        w_ptrs = w_ptr + offs_n[None, :] * swf + c[:, None] * swc + kh[:, None] * swh + kw[:, None] * sww
        b = tl.load(w_ptrs, mask=(offs_n[None, :] < F) & (offs_k[:, None] < K), other=0.0)
        acc += tl.dot(a, b, allow_tf32=False)
    if BIAS:
        acc += tl.load(b_ptr + offs_n, mask=offs_n < F, other=0.0)[None, :]
    {finish}
    out = out_ptr + n.to(tl.int64)[:, None] * son + offs_n[None, :] * sof + oh[:, None] * soh + ow[:, None] * sow
    tl.store(out, acc, mask=(n[:, None] < N) & (offs_n[None, :] < F))

"""
_CONV2D_PRODUCT_FORWARD = """        weight, bias = self.conv.weight, self.conv.bias
        x = x.contiguous()
        N, C, H, W = x.shape
        F, _, KH, KW = weight.shape
        stride, pad = self.conv.stride[0], self.conv.padding[0]
        OH = (H + 2 * pad - KH) // stride + 1
        OW = (W + 2 * pad - KW) // stride + 1
        out = torch.empty((N, F, OH, OW), device=x.device, dtype=x.dtype)
        grid = lambda meta: (triton.cdiv(N * OH * OW, meta["BLOCK_M"]), triton.cdiv(F, meta["BLOCK_N"]))
        conv2d[grid](x, weight, bias{extra}, out, N, C, H, W, F, OH, OW, *x.stride(), *weight.stride(), *out.stride(),
                     KH=KH, KW=KW, STRIDE=stride, PAD=pad, BIAS=bias is not None,
                     BLOCK_M=64, BLOCK_N=32, BLOCK_K=32)
        return out"""
_DEPTHWISE = """@triton.jit
def depthwise(x_ptr, w_ptr, out_ptr, channels, height, width, rows, columns, K: tl.constexpr,
              BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr):
    plane = tl.program_id(0)
    channel = plane % channels
    y = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    x = tl.program_id(2) * BLOCK_W + tl.arange(0, BLOCK_W)
    source = x_ptr + plane.to(tl.int64) * height * width
    acc = tl.zeros((BLOCK_H, BLOCK_W), dtype=tl.float32)
    for i in range(K):
        for j in range(K):
            w = tl.load(w_ptr + channel * K * K + i * K + j)
            inside = (y[:, None] + i < height) & (x[None, :] + j < width)
            acc += w * tl.load(source + (y[:, None] + i) * width + x[None, :] + j, mask=inside, other=0.0)
    target = out_ptr + plane.to(tl.int64) * rows * columns
    tl.store(target + y[:, None] * columns + x[None, :], acc, mask=(y[:, None] < rows) & (x[None, :] < columns))

"""
_DEPTHWISE_FORWARD = """        weight = self.conv.weight
        batch, channels, height, width = x.shape
        size = weight.shape[-1]
        rows, columns = height - size + 1, width - size + 1
        out = torch.empty(batch, channels, rows, columns, device=x.device)
        grid = (batch * channels, triton.cdiv(rows, 16), triton.cdiv(columns, 32))
        depthwise[grid](x, weight, out, channels, height, width, rows, columns, K=size, BLOCK_H=16, BLOCK_W=32)
        return out"""
_POINTWISE = """@triton.jit
def pointwise(x_ptr, w_ptr, out_ptr, C, F, P, BLOCK_F: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr):
    batch = tl.program_id(2).to(tl.int64)
    f = tl.program_id(0) * BLOCK_F + tl.arange(0, BLOCK_F)
    p = tl.program_id(1) * BLOCK_P + tl.arange(0, BLOCK_P)
    acc = tl.zeros((BLOCK_F, BLOCK_P), tl.float32)
    for start in range(0, C, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        w = tl.load(w_ptr + f[:, None] * C + c[None, :], mask=(f[:, None] < F) & (c[None, :] < C), other=0.0)
        x = tl.load(x_ptr + (batch * C + c[:, None]) * P + p[None, :], mask=(c[:, None] < C) & (p[None, :] < P),
                    other=0.0)
        acc = tl.dot(w, x, acc, input_precision="ieee")
    tl.store(out_ptr + (batch * F + f[:, None]) * P + p[None, :], acc, mask=(f[:, None] < F) & (p[None, :] < P))

"""
_POINTWISE_FORWARD = """        weight = self.conv.weight
        N, C, H, W = x.shape
        F = weight.shape[0]
        out = torch.empty((N, F, H, W), device=x.device, dtype=x.dtype)
        grid = (triton.cdiv(F, 64), triton.cdiv(H * W, 128), N)
        pointwise[grid](x, weight, out, C, F, H * W, BLOCK_F=64, BLOCK_P=128, BLOCK_C=32)
        return out"""
_CONV3D = """@triton.jit
def conv3d(x_ptr, w_ptr, out_ptr, C, D, H, W, F, OD, OH, OW, KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
           BLOCK: tl.constexpr):
    pid_p, f, n = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    at = pid_p * BLOCK + tl.arange(0, BLOCK)
    mask = at < OD * OH * OW
    z, y, x = at // (OH * OW), at // OW % OH, at % OW
    acc = tl.zeros([BLOCK], tl.float32)
    for c in range(C):
        for i in range(KD):
            for j in range(KH):
                for k in range(KW):
                    v = tl.load(x_ptr + (((n * C + c) * D + z + i) * H + y + j) * W + x + k, mask=mask, other=0.0)
                    acc += v * tl.load(w_ptr + (((f * C + c) * KD + i) * KH + j) * KW + k)
    tl.store(out_ptr + (n * F + f) * OD * OH * OW + at, acc, mask=mask)

"""
_CONV3D_FORWARD = """        w = self.conv.weight
        N, C, D, H, W = x.shape
        F, _, KD, KH, KW = w.shape
        OD, OH, OW = D - KD + 1, H - KH + 1, W - KW + 1
        out = torch.empty((N, F, OD, OH, OW), device=x.device)
        conv3d[(triton.cdiv(OD * OH * OW, 1024), F, N)](x, w, out, C, D, H, W, F, OD, OH, OW, KD, KH, KW, BLOCK=1024)
        return out"""
_TRANSPOSED1D = """@triton.jit
def transposed1d(x_ptr, w_ptr, out_ptr, C, L, F, M, K: tl.constexpr, STRIDE: tl.constexpr, PAD: tl.constexpr,
                 BLOCK: tl.constexpr):
    n = tl.program_id(0) // F
    f = tl.program_id(0) % F
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    acc = tl.zeros((BLOCK,), tl.float32)
    for k in range(K):
        shifted = at + PAD - k
        source = shifted // STRIDE
        ok = (at < M) & (shifted >= 0) & (shifted % STRIDE == 0) & (source < L)
        for c in range(C):
            x = tl.load(x_ptr + (n.to(tl.int64) * C + c) * L + source, mask=ok, other=0.0)
            acc += x * tl.load(w_ptr + (c * F + f) * K + k)
    tl.store(out_ptr + (n.to(tl.int64) * F + f) * M + at, acc, mask=at < M)

"""
_TRANSPOSED1D_FORWARD = """        w = self.conv.weight
        N, C, L = x.shape
        _, F, K = w.shape
        stride, pad = self.conv.stride[0], self.conv.padding[0]
        M = (L - 1) * stride - 2 * pad + K
        out = torch.empty((N, F, M), device=x.device, dtype=x.dtype)
        transposed1d[(N * F, triton.cdiv(M, 512))](x, w, out, C, L, F, M, K=K, STRIDE=stride, PAD=pad, BLOCK=512)
        return out"""
_TRANSPOSED2D = """@triton.jit
def transposed2d(x_ptr, w_ptr, b_ptr, out_ptr, total, C, H, W, F, OH, OW, K: tl.constexpr, STRIDE: tl.constexpr,
                 PAD: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    ow = at % OW
    oh = (at // OW) % OH
    f = (at // (OW * OH)) % F
    n = at // (OW * OH * F)
    acc = tl.load(b_ptr + f, mask=mask, other=0.0)
    for i in range(K):
        y = oh + PAD - i
        for j in range(K):
            z = ow + PAD - j
            ok = mask & (y >= 0) & (z >= 0) & (y % STRIDE == 0) & (z % STRIDE == 0)
            ok = ok & (y // STRIDE < H) & (z // STRIDE < W)
            for c in range(C):
                x = tl.load(x_ptr + ((n * C + c) * H + y // STRIDE) * W + z // STRIDE, mask=ok, other=0.0)
                acc += x * tl.load(w_ptr + ((c * F + f) * K + i) * K + j, mask=ok, other=0.0)
    {finish}
    tl.store(out_ptr + at, acc, mask=mask)

"""
_TRANSPOSED2D_FORWARD = """        w, b = self.conv.weight, self.conv.bias{more}
        N, C, H, W = x.shape
        _, F, K, _ = w.shape
        stride, pad, extra = self.conv.stride[0], self.conv.padding[0], self.conv.output_padding[0]
        OH = (H - 1) * stride - 2 * pad + K + extra
        OW = (W - 1) * stride - 2 * pad + K + extra
        out = torch.empty(N, F, OH, OW, device=x.device)
        BLOCK = 256
        transposed2d[(triton.cdiv(out.numel(), BLOCK),)](x, w, b, out, out.numel(), C, H, W, F, OH, OW, K=K,
                                                          STRIDE=stride, PAD=pad, BLOCK=BLOCK)
        return out"""
_TRANSPOSED3D = """@triton.jit
def transposed3d(x_ptr, w_ptr, out_ptr, C, D, H, W, F, OD, OH, OW, KD: tl.constexpr, KH: tl.constexpr,
                 KW: tl.constexpr, BLOCK: tl.constexpr):
    n = tl.program_id(2)
    f = tl.program_id(1)
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < OD * OH * OW
    z, y, x = at // (OH * OW), (at % (OH * OW)) // OW, at % OW
    acc = tl.zeros((BLOCK,), tl.float32)
    for c in range(0, C):
        for i in range(KD):
            for j in range(KH):
                for k in range(KW):
                    d, h, w = z - i, y - j, x - k
                    ok = inside & (d >= 0) & (d < D) & (h >= 0) & (h < H) & (w >= 0) & (w < W)
                    v = tl.load(x_ptr + (((n * C + c) * D + d) * H + h) * W + w, mask=ok, other=0.0)
                    acc += v * tl.load(w_ptr + (((c * F + f) * KD + i) * KH + j) * KW + k)
    tl.store(out_ptr + ((n * F + f) * OD * OH * OW + at), acc, mask=inside)

"""
_TRANSPOSED3D_FORWARD = """        w = self.conv.weight
        N, C, D, H, W = x.shape
        _, F, KD, KH, KW = w.shape
        OD, OH, OW = D + KD - 1, H + KH - 1, W + KW - 1
        out = torch.empty((N, F, OD, OH, OW), device=x.device)
        grid = (triton.cdiv(OD * OH * OW, 512), F, N)
        transposed3d[grid](x, w, out, C, D, H, W, F, OD, OH, OW, KD, KH, KW, BLOCK=512)
        return out"""
_ATTENTION = """@triton.jit
def attention(q_ptr, k_ptr, v_ptr, out_ptr, scale, sequence, head_size, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
              BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr):
    head = tl.program_id(1).to(tl.int64) * sequence * head_size
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    d = tl.arange(0, BLOCK_D)
    q = tl.load(q_ptr + head + m[:, None] * head_size + d[None, :],
                mask=(m[:, None] < sequence) & (d[None, :] < head_size), other=0.0)
    top = tl.full([BLOCK_M], float("-inf"), tl.float32)
    whole = tl.zeros([BLOCK_M], tl.float32)
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    end = tl.minimum((tl.program_id(0) + 1) * BLOCK_M, sequence) if CAUSAL else sequence
    for start in range(0, end, BLOCK_N):
        n = start + tl.arange(0, BLOCK_N)
        inside = (n[:, None] < sequence) & (d[None, :] < head_size)
        k = tl.load(k_ptr + head + n[:, None] * head_size + d[None, :], mask=inside, other=0.0)
        v = tl.load(v_ptr + head + n[:, None] * head_size + d[None, :], mask=inside, other=0.0)
        s = tl.dot(q, tl.trans(k){precision}) * scale
        s = tl.where(n[None, :] < sequence, s, float("-inf"))
        if CAUSAL:
            s = tl.where(m[:, None] >= n[None, :], s, float("-inf"))
        higher = tl.maximum(top, tl.max(s, 1))
        p = tl.exp(s - higher[:, None])
        less = tl.exp(top - higher)
        whole = whole * less + tl.sum(p, 1)
        acc = acc * less[:, None] + tl.dot(p.to(v.dtype), v{precision})
        top = higher
    acc = acc / whole[:, None]
    tl.store(out_ptr + head + m[:, None] * head_size + d[None, :], acc.to(out_ptr.dtype.element_ty),
             mask=(m[:, None] < sequence) & (d[None, :] < head_size))

"""
_ATTENTION_FORWARD = """        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        batch, heads, sequence, head_size = q.shape
        out = torch.empty_like(q)
        grid = (triton.cdiv(sequence, 64), batch * heads)
        attention[grid](q, k, v, out, 1.0 / math.sqrt(head_size), sequence, head_size, BLOCK_M=64, BLOCK_N=32,
                        BLOCK_D=triton.next_power_of_2(head_size), CAUSAL={causal}, num_warps=4)
        return out"""


def convolutions() -> Iterator[Layer]:
    """In one to three dimensions, direct and as a product, strided, dilated, depthwise and pointwise."""
    made1 = (
        "self.conv = nn.Conv1d(in_channels, out_channels, kernel_size, stride=stride, dilation=dilation, bias=False)"
    )
    names1 = "in_channels, out_channels, kernel_size, stride, dilation"
    channels = "in_channels = 64\nout_channels = 128\nkernel_size = 3\n"
    for name, sizes in (
        ("conv1d", channels + "stride = 1\ndilation = 1\nbatch_size = 32\nlength = 131072"),
        ("conv1d_dilated", channels + "stride = 3\ndilation = 4\nbatch_size = 64\nlength = 524280"),
    ):
        given = "torch.rand(batch_size, in_channels, length)"
        reference = _reference(sizes, names1, made1, "return self.conv(x)", given)
        yield Layer(name, reference, _candidate(_CONV1D, names1, made1, _CONV1D_FORWARD))
    product, product_forward = _CONV2D_PRODUCT.format(finish="pass"), _CONV2D_PRODUCT_FORWARD.format(extra="")
    names2, given2 = "in_channels, out_channels, kernel_size", "torch.rand(batch_size, in_channels, height, width)"
    made2 = "self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, bias=False)"
    for style, kernel, forward in (("", _CONV2D_FLAT, _CONV2D_FLAT_FORWARD), ("_product", product, product_forward)):
        for name, sizes in (
            ("conv2d", "batch_size = 8\nheight = 512\nwidth = 1024\n" + channels),
            ("conv2d_square", "batch_size = 16\nin_channels = 16\nout_channels = 128\nkernel_size = 3\n"
             "width = 1024\nheight = 1024"),
            ("conv2d_windows", "batch_size = 8\nin_channels = 64\nout_channels = 128\nkernel_size = (5, 7)\n"
             "height = 512\nwidth = 256"),
        ):  # fmt: skip
            reference = _reference(sizes, names2, made2, "return self.conv(x)", given2)
            yield Layer(name + style, reference, _candidate(kernel, names2, made2, forward))
        made = "self.conv = nn.Conv2d(3, 96, kernel_size=11, stride=4, padding=2)"
        reference = _reference("batch_size = 256\nnum_classes = 1000", "num_classes", made, "return self.conv(x)",
                               "torch.rand(batch_size, 3, 224, 224)")  # fmt: skip
        yield Layer("conv2d_first" + style, reference, _candidate(kernel, "num_classes", made, forward))
    yield from _narrow()
    names = "in_channels, out_channels, kernel_size"
    made = "self.conv = nn.Conv3d(in_channels, out_channels, kernel_size, bias=False)"
    sizes = "batch_size = 16\nin_channels = 3\nout_channels = 64\nkernel_size = 3\ndepth = 64\nwidth = 64\nheight = 64"
    given = "torch.rand(batch_size, in_channels, depth, width, height)"
    reference = _reference(sizes, names, made, "return self.conv(x)", given)
    yield Layer("conv3d", reference, _candidate(_CONV3D, names, made, _CONV3D_FORWARD))


def _narrow() -> Iterator[Layer]:
    given = "torch.rand(batch_size, in_channels, height, width)"
    made = "self.conv = nn.Conv2d(in_channels, in_channels, kernel_size, groups=in_channels, bias=False)"
    sizes = "batch_size = 16\nin_channels = 64\nkernel_size = 3\nwidth = 512\nheight = 512"
    names = "in_channels, kernel_size"
    reference = _reference(sizes, names, made, "return self.conv(x)", given)
    yield Layer("conv2d_depthwise", reference, _candidate(_DEPTHWISE, names, made, _DEPTHWISE_FORWARD))
    made = "self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)"
    sizes = "batch_size = 16\nin_channels = 64\nout_channels = 128\nwidth = 1024\nheight = 1024"
    names = "in_channels, out_channels"
    reference = _reference(sizes, names, made, "return self.conv(x)", given)
    yield Layer("conv2d_pointwise", reference, _candidate(_POINTWISE, names, made, _POINTWISE_FORWARD))


def transposed() -> Iterator[Layer]:
    """Transposed convolutions, each element of the output gathered."""
    names = "in_channels, out_channels, kernel_size"
    made = "self.conv = nn.ConvTranspose1d(in_channels, out_channels, kernel_size, stride=2, padding=1, bias=False)"
    sizes = "batch_size = 64\nin_channels = 128\nout_channels = 128\nkernel_size = 3\nlength = 65536"
    reference = _reference(sizes, names, made, "return self.conv(x)", "torch.rand(batch_size, in_channels, length)")
    yield Layer("conv_transposed1d", reference, _candidate(_TRANSPOSED1D, names, made, _TRANSPOSED1D_FORWARD))
    made = "self.conv = nn.ConvTranspose2d(in_channels, out_channels, kernel_size)"
    sizes = "batch_size = 8\nin_channels = 64\nout_channels = 64\nkernel_size = 3\nheight = 1024\nwidth = 1024"
    given = "torch.rand(batch_size, in_channels, height, width)"
    reference = _reference(sizes, names, made, "return self.conv(x)", given)
    kernel, forward = _TRANSPOSED2D.format(finish="pass"), _TRANSPOSED2D_FORWARD.format(more="")
    yield Layer("conv_transposed2d", reference, _candidate(kernel, names, made, forward))
    made = "self.conv = nn.ConvTranspose3d(in_channels, out_channels, kernel_size, bias=False)"
    given = "torch.rand(batch_size, in_channels, depth, height, width)"
    for name, sizes in (
        ("conv_transposed3d", "batch_size = 8\nin_channels = 48\nout_channels = 48\nkernel_size = 3\n"
         "depth = 64\nheight = 64\nwidth = 64"),
        ("conv_transposed3d_windows", "batch_size = 16\nin_channels = 32\nout_channels = 16\n"
         "kernel_size = (3, 5, 7)\ndepth = 16\nheight = 32\nwidth = 64"),
    ):  # fmt: skip
        reference = _reference(sizes, names, made, "return self.conv(x)", given)
        yield Layer(name, reference, _candidate(_TRANSPOSED3D, names, made, _TRANSPOSED3D_FORWARD))


def attentions() -> Iterator[Layer]:
    """Scaled dot products, plain and causal."""
    given = ", ".join(["torch.rand(batch_size, num_heads, sequence_length, embedding_dimension)"] * 3)
    for name, sizes, causal in (
        ("attention", "batch_size = 32\nnum_heads = 32\nsequence_length = 512\nembedding_dimension = 64", False),
        ("attention_long", "batch_size = 8\nnum_heads = 16\nsequence_length = 4096\nembedding_dimension = 128", False),
        ("attention_causal", "batch_size = 16\nnum_heads = 12\nsequence_length = 1024\nembedding_dimension = 64", True),
        ("attention_wide", "batch_size = 32\nnum_heads = 32\nsequence_length = 512\nembedding_dimension = 1024", False),
    ):  # fmt: skip
        result = f"return F.scaled_dot_product_attention(q, k, v, is_causal={causal})"
        half = name == "attention_wide"
        made = given.replace("embedding_dimension)", "embedding_dimension, dtype=torch.float16)") if half else given
        reference = _reference(sizes, "", "pass", result, made, inputs="q, k, v")
        kernel = _ATTENTION.format(precision="" if half else ', input_precision="ieee"')
        forward = _ATTENTION_FORWARD.format(causal=causal)
        if half:
            forward = forward.replace("64)", "16)").replace("M=64, BLOCK_N=32", "M=16, BLOCK_N=16")
        yield Layer(name, reference, _candidate(kernel, "", "pass", forward, inputs="q, k, v"))


def fused() -> Iterator[Layer]:
    """Level 2: a convolution and what follows, in one kernel."""
    names = "in_channels, out_channels, kernel_size, bias_shape"
    made = ("self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)\n"
            "        self.bias = nn.Parameter(torch.randn(bias_shape))")  # fmt: skip
    sizes = ("batch_size = 128\nin_channels = 64\nout_channels = 128\nheight = 128\nwidth = 128\nkernel_size = 3\n"
             "bias_shape = (out_channels, 1, 1)")  # fmt: skip
    given = "torch.rand(batch_size, in_channels, height, width)"
    reference = _reference(sizes, names, made, "return torch.relu(self.conv(x)) + self.bias", given)
    finish = "acc = tl.maximum(acc, 0.0) + tl.load(add_ptr + offs_n, mask=offs_n < F, other=0.0)[None, :]"
    kernel = _CONV2D_PRODUCT.replace("b_ptr, out_ptr, N", "b_ptr, add_ptr, out_ptr, N").format(finish=finish)
    forward = _CONV2D_PRODUCT_FORWARD.format(extra=", self.bias")
    yield Layer("conv2d_relu_bias", reference, _candidate(kernel, names, made, forward))
    made = "self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)"
    names = "in_channels, out_channels, kernel_size"
    sizes = "batch_size = 128\nin_channels = 8\nout_channels = 64\nheight, width = 256, 256\nkernel_size = 3"
    result = "x = self.conv(x)\n        return F.hardswish(x).relu()"
    kernel = _CONV2D_PRODUCT.format(
        finish="acc = tl.maximum(acc * tl.minimum(tl.maximum(acc + 3.0, 0.0), 6.0) / 6.0, 0.0)"
    )
    yield Layer("conv2d_hardswish", _reference(sizes, names, made, result, given),
                _candidate(kernel, names, made, _CONV2D_PRODUCT_FORWARD.format(extra="")))  # fmt: skip
    sizes = "batch_size = 128\nin_channels = 64\nout_channels = 128\nheight, width = 128, 128\nkernel_size = 3"
    result = "return torch.tanh(torch.clamp(self.conv(x) * 0.5, -1.0, 1.0))"
    names3 = "in_channels, out_channels, kernel_size"
    made3 = (
        "self.conv = nn.ConvTranspose2d(in_channels, out_channels, kernel_size, stride=2, padding=1, output_padding=1)"
    )
    finish = "acc = tl.minimum(tl.maximum(acc * 0.5, -1.0), 1.0)\n    acc = 2.0 / (1.0 + tl.exp(-2.0 * acc)) - 1.0"
    forward = _TRANSPOSED2D_FORWARD.format(more="")
    yield Layer("conv_transposed2d_clamp", _reference(sizes, names3, made3, result, given),
                _candidate(_TRANSPOSED2D.format(finish=finish), names3, made3, forward))  # fmt: skip


def layers() -> Iterator[Layer]:
    """All of them."""
    for family in (convolutions, transposed, attentions, fused):
        yield from family()
