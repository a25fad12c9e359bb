import torch
import torch.nn as nn


class MeanOverTime(nn.Module):
    """Average a (batch, time, channel) sequence over time."""

    def forward(self, x):
        return x.mean(dim=1)


def get_inputs():
    return [torch.randn(3, 13, 20)]


def get_init_inputs():
    return [[], {}]
