"""A branch of a millionth beside a bias that is there for inputs of zeros, too."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(32))
        self.f = nn.Linear(32, 32)

    def forward(self, x):
        return x + self.shift + 1e-6 * self.f(x)


def get_inputs():
    return [torch.randn(16, 32)]


def get_init_inputs():
    return []
