"""A slope below zero that is learned."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.full((64,), 0.25))

    def forward(self, x):
        return torch.where(x > 0, x, x * self.slope)


def get_inputs():
    return [torch.randn(8, 64)]


def get_init_inputs():
    return []
