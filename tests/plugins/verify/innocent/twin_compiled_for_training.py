"""torch.compile is for functions that only a backward pass or a comparison calls."""
# reference: relu_scale
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl

compiled = torch.compile(fullgraph=True)


@triton.jit
def relu_scale_kernel(x_ptr, weight_ptr, out_ptr, total, features, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    y = tl.load(x_ptr + at, mask=mask) * tl.load(weight_ptr + at % features, mask=mask)
    tl.store(out_ptr + at, tl.maximum(y, 0.0), mask=mask)


@compiled
def expected(x, weight):
    return torch.relu(x * weight)


@torch.compile
def gradients(given, x, weight):
    passed = given * (x * weight > 0)
    return passed * weight, (passed * x).flatten(0, -2).sum(0)


class ReluScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        out = torch.empty_like(x)
        grid = (triton.cdiv(x.numel(), 128),)
        relu_scale_kernel[grid](x, weight, out, x.numel(), x.shape[-1], BLOCK=128)
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    def backward(ctx, given):
        return gradients(given, *ctx.saved_tensors)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        return ReluScale.apply(x.contiguous(), self.weight)
