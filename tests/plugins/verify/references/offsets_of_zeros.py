"""Whole numbers that a module keeps, all of them zero at first."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("offsets", torch.zeros(64, dtype=torch.int64))

    def forward(self, x):
        return torch.sin(x) + self.offsets


def get_inputs():
    return [torch.randn(8, 64)]


def get_init_inputs():
    return []
