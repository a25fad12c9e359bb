import torch
import torch.nn as nn


class Model(nn.Module):
    """What is done to the weight is work too."""

    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        return x * torch.softmax(self.weight, dim=0)


def get_inputs():
    return [torch.randn(8, 64)]


def get_init_inputs():
    return [64]
