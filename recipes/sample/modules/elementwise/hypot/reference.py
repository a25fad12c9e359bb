import torch
import torch.nn as nn


class Magnitude(nn.Module):
    """Length of the vectors (x, y), kept away from zero."""

    def __init__(self, eps):
        super().__init__()
        self.eps = eps

    def forward(self, x, y):
        return torch.sqrt(x * x + y * y + self.eps)


def get_inputs():
    return [torch.randn(30, 50), torch.randn(30, 50)]


def get_init_inputs():
    return [[1e-2], {}]
