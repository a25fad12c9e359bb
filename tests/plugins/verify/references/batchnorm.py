import torch
import torch.nn as nn


class Model(nn.Module):
    """Other numbers in train mode than in eval mode."""

    def __init__(self, features):
        super().__init__()
        self.norm = nn.BatchNorm1d(features)
        self.norm.running_mean += torch.arange(features) * 0.1

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(16, 10)]


def get_init_inputs():
    return [10]
