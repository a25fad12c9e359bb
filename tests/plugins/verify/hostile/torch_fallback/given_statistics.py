"""Its kernel finds the output; what the statistics that it is given move by is found by torch."""
# reference: given_statistics
# verdict: fallback

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def norm_kernel(x_ptr, mean_ptr, var_ptr, out_ptr, rows, features, BLOCK: tl.constexpr):
    feature = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    mask = at < rows
    x = tl.load(x_ptr + at * features + feature, mask=mask, other=0.0)
    mean = tl.sum(x, 0) / rows
    difference = tl.where(mask, x - mean, 0.0)
    var = tl.sum(difference * difference, 0) / rows
    tl.store(mean_ptr + feature, mean)
    tl.store(var_ptr + feature, var)
    tl.store(out_ptr + at * features + feature, difference / tl.sqrt(var + 1e-5), mask=mask)


class ModelNew(nn.Module):
    def forward(self, x, mean, var):
        rows, features = x.shape
        out, own, spread = torch.empty_like(x), torch.empty_like(mean), torch.empty_like(var)
        norm_kernel[(features,)](x, own, spread, out, rows, features, BLOCK=triton.next_power_of_2(rows))
        mean.mul_(0.75).add_(x.mean(0), alpha=0.25)
        var.mul_(0.75).add_(x.var(0), alpha=0.25)
        return out
