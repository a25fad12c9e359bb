import torch
import torch.nn as nn


class Net(nn.Module):
    """Bias, scaling, residual and clamp in one go."""

    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(channels, 1, 1))
        self.gain = nn.Parameter(torch.randn(channels, 1, 1))

    def forward(self, x):
        y = (x + self.bias) * self.gain + x
        return torch.clamp(y, -1.5, 1.5)


def get_inputs():
    return [torch.randn(2, 4, 6, 5)]


def get_init_inputs():
    return [[4], {}]
