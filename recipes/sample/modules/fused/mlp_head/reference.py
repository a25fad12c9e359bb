import torch
import torch.nn as nn


class MLPHead(nn.Module):
    """Linear, SiLU, linear."""

    def __init__(self, dim, hidden, classes):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.down(torch.nn.functional.silu(self.up(x)))


def get_inputs():
    return [torch.randn(10, 12)]


def get_init_inputs():
    return [[12, 24, 5], {}]
