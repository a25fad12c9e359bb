import torch
import torch.nn as nn


class DepthwiseConv(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)

    def forward(self, x):
        return self.depthwise(x)


def get_inputs():
    return [torch.randn(2, 4, 7, 8)]


def get_init_inputs():
    return [[4], {}]
