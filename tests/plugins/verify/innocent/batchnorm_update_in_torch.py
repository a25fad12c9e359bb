"""Batch statistics by a kernel; torch moves the running ones with them."""
# reference: batchnorm
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def statistics_kernel(x_ptr, mean_ptr, var_ptr, rows, features, BLOCK: tl.constexpr):
    feature = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    mask = at < rows
    x = tl.load(x_ptr + at * features + feature, mask=mask, other=0.0)
    mean = tl.sum(x, 0) / rows
    difference = tl.where(mask, x - mean, 0.0)
    tl.store(mean_ptr + feature, mean)
    tl.store(var_ptr + feature, tl.sum(difference * difference, 0) / rows)


@triton.jit
def norm_kernel(x_ptr, mean_ptr, var_ptr, w_ptr, b_ptr, out_ptr, total, features, eps, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    feature = at % features
    x = tl.load(x_ptr + at, mask=mask)
    scale = tl.load(w_ptr + feature, mask=mask) / tl.sqrt(tl.load(var_ptr + feature, mask=mask, other=1.0) + eps)
    y = (x - tl.load(mean_ptr + feature, mask=mask)) * scale + tl.load(b_ptr + feature, mask=mask)
    tl.store(out_ptr + at, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.BatchNorm1d(features)

    def forward(self, x):
        norm, x = self.norm, x.contiguous()
        rows, features = x.shape
        mean, var = norm.running_mean, norm.running_var
        if self.training:
            mean, var = torch.empty_like(mean), torch.empty_like(var)
            statistics_kernel[(features,)](x, mean, var, rows, features, BLOCK=triton.next_power_of_2(rows))
            norm.num_batches_tracked += 1
            norm.running_mean = (1 - norm.momentum) * norm.running_mean + norm.momentum * mean
            norm.running_var.mul_(1 - norm.momentum).add_(var * rows / (rows - 1), alpha=norm.momentum)
        out = torch.empty_like(x)
        norm_kernel[(triton.cdiv(x.numel(), 128),)](x, mean, var, norm.weight, norm.bias, out, x.numel(), features, norm.eps, BLOCK=128)
        return out
