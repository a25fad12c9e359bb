"""The running variance is moved by the biased one."""
# reference: batchnorm
# verdict: wrong_output

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def norm_kernel(x_ptr, mean_ptr, var_ptr, w_ptr, b_ptr, out_ptr, rows, features, eps, momentum, TRAINING: tl.constexpr, BLOCK: tl.constexpr):
    feature = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    mask = at < rows
    x = tl.load(x_ptr + at * features + feature, mask=mask, other=0.0)
    mean = tl.load(mean_ptr + feature)
    variance = tl.load(var_ptr + feature)
    if TRAINING:
        batch_mean = tl.sum(x, 0) / rows
        difference = tl.where(mask, x - batch_mean, 0.0)
        batch_variance = tl.sum(difference * difference, 0) / rows
        tl.store(mean_ptr + feature, mean + momentum * (batch_mean - mean))
        tl.store(var_ptr + feature, variance + momentum * (batch_variance - variance))
        mean = batch_mean
        variance = batch_variance
    y = (x - mean) / tl.sqrt(variance + eps) * tl.load(w_ptr + feature) + tl.load(b_ptr + feature)
    tl.store(out_ptr + at * features + feature, y, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.BatchNorm1d(features)

    def forward(self, x):
        norm, x = self.norm, x.contiguous()
        out = torch.empty_like(x)
        norm_kernel[(x.shape[1],)](x, norm.running_mean, norm.running_var, norm.weight, norm.bias, out, x.shape[0], x.shape[1],
                                   norm.eps, norm.momentum, TRAINING=self.training, BLOCK=triton.next_power_of_2(x.shape[0]))
        return out
