import torch
import torch.nn as nn


class Conv1dSame(nn.Module):
    """1-D convolution that keeps the length."""

    def __init__(self, c_in, c_out, width):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, width, padding=width // 2)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(2, 3, 25)]


def get_init_inputs():
    return [[3, 4, 5], {}]
