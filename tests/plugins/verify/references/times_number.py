"""A product with a number."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, s):
        return x * s


def get_inputs():
    return [torch.randn(8, 64), 2.5]


def get_init_inputs():
    return []
