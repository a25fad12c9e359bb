import torch
import torch.nn as nn


class Model(nn.Module):
    """A weight for each place of an image."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size))

    def forward(self, x):
        return x * (self.weight * self.weight + 1.0)


def get_inputs():
    return [torch.randn(4, 4, 8, 8)]


def get_init_inputs():
    return [8]
