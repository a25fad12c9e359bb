import torch
import torch.nn as nn


class MatVec(nn.Module):
    """A learned matrix times each input vector, scaled."""

    def __init__(self, rows, cols):
        super().__init__()
        self.A = nn.Parameter(torch.randn(rows, cols))
        self.scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, v):
        return self.scale * torch.einsum("rc,bc->br", self.A, v)


def get_inputs():
    return [torch.randn(3, 50)]


def get_init_inputs():
    return [[14, 50], {}]
