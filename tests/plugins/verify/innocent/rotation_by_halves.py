"""Reads the first half of the cosines and sines, whose second half is the same; an event says that a table is made."""
# reference: rotation
# verdict: pass

import threading

import torch
import torch.nn as nn
import triton
import triton.language as tl

_KNOWN = {}
_MADE = threading.Event()


@triton.jit
def turn_kernel(heads_ptr, cos_ptr, sin_ptr, out_ptr, heads, length, HALF: tl.constexpr):
    row = tl.program_id(0)
    place = row // (heads * length) * length + row % length
    at = tl.arange(0, HALF)
    cosine = tl.load(cos_ptr + place * 2 * HALF + at)
    sine = tl.load(sin_ptr + place * 2 * HALF + at)
    first = tl.load(heads_ptr + row * 2 * HALF + at)
    second = tl.load(heads_ptr + row * 2 * HALF + HALF + at)
    tl.store(out_ptr + row * 2 * HALF + at, first * cosine - second * sine)
    tl.store(out_ptr + row * 2 * HALF + HALF + at, second * cosine + first * sine)


def kernel_named(name):
    if not _MADE.is_set():
        _KNOWN["turn"] = turn_kernel
        _MADE.set()
    return _KNOWN[name]


class ModelNew(nn.Module):
    def forward(self, heads, cosines, sines):
        heads, cosines, sines = heads.contiguous(), cosines.contiguous(), sines.contiguous()
        out = torch.empty_like(heads)
        batch, count, length, width = heads.shape
        kernel_named("turn")[(batch * count * length,)](
            heads, cosines, sines, out, count, length, HALF=width // 2
        )
        return out
