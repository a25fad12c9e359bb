import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, y):
        return torch.copysign(y * y, x)


def get_inputs():
    return [torch.randn(16, 40), torch.randn(16, 40)]


def get_init_inputs():
    return []
