import torch
import torch.nn as nn


class Model(nn.Module):
    """Only moves data: copying is the kernel's work."""

    def forward(self, x):
        return x.transpose(0, 1).contiguous()


def get_inputs():
    return [torch.randn(24, 40)]


def get_init_inputs():
    return []
