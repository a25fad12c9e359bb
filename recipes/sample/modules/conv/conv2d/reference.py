import torch
import torch.nn as nn


class ConvBlock(nn.Module):
    """3x3 convolution with stride 2, then ReLU."""

    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, stride=2, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x))


def get_inputs():
    return [torch.randn(2, 3, 9, 10)]


def get_init_inputs():
    return [[3, 4], {}]
