import torch
import torch.nn as nn


class Model(nn.Module):
    """Two outputs, one of them integers."""

    def forward(self, x):
        values, indices = torch.max(x, dim=1)
        return values, indices


def get_inputs():
    return [torch.randn(10, 70)]


def get_init_inputs():
    return []
