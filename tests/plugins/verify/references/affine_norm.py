import torch
import torch.nn as nn


class Model(nn.Module):
    """A weight of ones and a bias of zeros until training moves them."""

    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(8, 32)]


def get_init_inputs():
    return [32]
