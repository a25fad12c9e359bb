import torch
import torch.nn as nn


class Model(nn.Module):
    """Returns a view, whose strides are nobody's wish."""

    def forward(self, x):
        return torch.relu(x).transpose(0, 1)


def get_inputs():
    return [torch.randn(12, 20)]


def get_init_inputs():
    return []
