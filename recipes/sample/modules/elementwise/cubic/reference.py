import torch
import torch.nn as nn


class Net(nn.Module):
    """A learnable cubic polynomial."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.randn(()))
        self.b = nn.Parameter(torch.randn(()))
        self.c = nn.Parameter(torch.randn(()))
        self.d = nn.Parameter(torch.randn(()))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2 + self.d * x**3


def get_inputs():
    return [torch.randn(4, 4, 4, 9)]


def get_init_inputs():
    return [[], {}]
