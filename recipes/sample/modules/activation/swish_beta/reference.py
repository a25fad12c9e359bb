import torch
import torch.nn as nn


class Swish(nn.Module):
    """Swish with a learnable slope for each feature."""

    def __init__(self, features):
        super().__init__()
        self.beta = nn.Parameter(torch.rand(features) + 0.5)

    def forward(self, x):
        return x * torch.sigmoid(self.beta * x)


def get_inputs():
    return [torch.randn(6, 20)]


def get_init_inputs():
    return [[20], {}]
