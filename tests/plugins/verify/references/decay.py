import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.rate = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x, step):
        time = F.softplus(step)
        return torch.exp(-self.rate * time) * x + time * x


def get_inputs():
    return [torch.randn(32, 48), torch.randn(32, 48)]


def get_init_inputs():
    return [48]
