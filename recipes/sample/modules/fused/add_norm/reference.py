import torch
import torch.nn as nn


class AddNorm(nn.Module):
    """Residual addition followed by layer normalisation."""

    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, x, residual):
        return self.norm(x + residual)


def get_inputs():
    return [torch.randn(3, 6, 28), torch.randn(3, 6, 28)]


def get_init_inputs():
    return [[28], {}]
