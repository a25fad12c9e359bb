"""Attention to what is kept, by an operator of torch."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def forward(self, query, key, value, kept):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=kept)


def get_inputs():
    return [torch.randn(2, 16, 16), torch.randn(2, 16, 16), torch.randn(2, 16, 16), torch.rand(2, 16, 16) > 0.3]


def get_init_inputs():
    return []
