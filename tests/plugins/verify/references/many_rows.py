import torch
import torch.nn as nn


class Model(nn.Module):
    """Put in order, its rows are of numbers that are nearly equal."""

    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.rand(256, 128)]


def get_init_inputs():
    return [128]
