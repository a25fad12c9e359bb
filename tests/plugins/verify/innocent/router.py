"""Chooses by scores, where no two are equal."""
# reference: router
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def route_kernel(scores_ptr, share_ptr, expert_ptr, COUNT: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, COUNT)
    scores = tl.load(scores_ptr + row * COUNT + at)
    first, one = tl.max(scores, 0, return_indices=True)
    second, other = tl.max(tl.where(at == one, float("-inf"), scores), 0, return_indices=True)
    share = 1 / (1 + tl.exp(second - first))
    tl.store(share_ptr + row * 2, share)
    tl.store(share_ptr + row * 2 + 1, 1 - share)
    tl.store(expert_ptr + row * 2, one)
    tl.store(expert_ptr + row * 2 + 1, other)


class ModelNew(nn.Module):
    def forward(self, scores):
        shares = torch.empty(scores.shape[0], 2, device=scores.device)
        experts = torch.empty(shares.shape, dtype=torch.int64, device=scores.device)
        route_kernel[(scores.shape[0],)](scores, shares, experts, COUNT=scores.shape[1])
        return shares, experts
