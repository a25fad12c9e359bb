"""A recurrence as a scan over pairs, with a combination of its own."""
# reference: running_product
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def combine(factor, value, next_factor, next_value):
    return factor * next_factor, value * next_factor + next_value


@triton.jit
def recurrence_kernel(factors_ptr, values_ptr, out_ptr, steps, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    start = tl.program_id(0) * steps
    factors = tl.load(factors_ptr + start + at, mask=at < steps, other=1.0)
    values = tl.load(values_ptr + start + at, mask=at < steps, other=0.0)
    _, states = tl.associative_scan((factors, values), 0, combine)
    tl.store(out_ptr + start + at, states, mask=at < steps)


class ModelNew(nn.Module):
    def forward(self, factors, values):
        out = torch.empty_like(values)
        recurrence_kernel[(values.shape[0],)](factors.contiguous(), values.contiguous(), out, values.shape[1], BLOCK=triton.next_power_of_2(values.shape[1]))
        return out
