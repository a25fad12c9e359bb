"""Attention that is no number where nothing is kept, as in the versions of torch before 2.5."""
# reference: attention_of_kept
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def attention_kernel(query_ptr, key_ptr, value_ptr, kept_ptr, out_ptr, SIZE: tl.constexpr):
    at = tl.arange(0, SIZE)
    there = tl.program_id(0) * SIZE * SIZE + at[:, None] * SIZE + at[None, :]
    turned = tl.program_id(0) * SIZE * SIZE + at[None, :] * SIZE + at[:, None]
    scores = tl.dot(tl.load(query_ptr + there), tl.load(key_ptr + turned), input_precision="ieee") * 0.25
    scores = tl.where(tl.load(kept_ptr + there) != 0, scores, -float("inf"))
    e = tl.exp(scores - tl.max(scores, 1)[:, None])
    shares = e / tl.sum(e, 1)[:, None]
    tl.store(out_ptr + there, tl.dot(shares, tl.load(value_ptr + there), input_precision="ieee"))


class ModelNew(nn.Module):
    def forward(self, query, key, value, kept):
        out = torch.empty_like(query)
        attention_kernel[(query.shape[0],)](query, key, value, kept, out, SIZE=16)
        return out
