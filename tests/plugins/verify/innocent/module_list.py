"""Wrappers from functools and dataclasses around layers in a list, with a buffer."""
# reference: two_layers
# verdict: pass

import dataclasses
import functools
import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def layer_kernel(x_ptr, w_ptr, b_ptr, shift_ptr, out_ptr, rows, K: tl.constexpr, N: tl.constexpr, BM: tl.constexpr):
    at = tl.program_id(0) * BM + tl.arange(0, BM)
    inner, columns = tl.arange(0, K), tl.arange(0, N)
    x = tl.load(x_ptr + at[:, None] * K + inner[None, :], mask=at[:, None] < rows, other=0.0)
    w = tl.load(w_ptr + columns[None, :] * K + inner[:, None])
    y = tl.dot(x, w, input_precision="ieee") + tl.load(b_ptr + columns)[None, :]
    y = tl.maximum(y, 0.0) + tl.load(shift_ptr + columns)[None, :]
    tl.store(out_ptr + at[:, None] * N + columns[None, :], y, mask=at[:, None] < rows)


@dataclasses.dataclass(frozen=True)
class Tiles:
    rows: int = 16

    def grid(self, rows):
        return (triton.cdiv(rows, self.rows),)


def layer(x, linear, shift, tiles):
    out = x.new_empty(x.shape[0], linear.out_features)
    layer_kernel[tiles.grid(x.shape[0])](
        x, linear.weight, linear.bias, shift, out, x.shape[0], K=linear.in_features, N=linear.out_features, BM=tiles.rows)
    return out


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(features, features) for _ in range(2))
        self.register_buffer("shift", torch.linspace(-1, 1, features))
        self.run = functools.partial(layer, tiles=Tiles())

    def forward(self, x):
        return functools.reduce(lambda y, linear: self.run(y, linear, self.shift), self.layers, x.contiguous())
