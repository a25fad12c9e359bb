"""Numbers of experts that are compared with, never used as places: any integer is taken."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scales = nn.Parameter(torch.randn(4, 16))

    def forward(self, x, expert):
        out = torch.zeros_like(x)
        for number in range(4):
            out = out + (expert == number)[:, None] * x * self.scales[number]
        return out


def get_inputs():
    return [torch.randn(24, 16), torch.randint(0, 4, (24,))]


def get_init_inputs():
    return []
