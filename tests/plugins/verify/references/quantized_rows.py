"""Rows as bytes with a scale each; a row of zeros has none, and what becomes of it no standard says."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        scale = x.abs().amax(1, keepdim=True) / 127.0
        return torch.round(x / scale).to(torch.int8), scale


def get_inputs():
    return [torch.randn(16, 64)]


def get_init_inputs():
    return []
