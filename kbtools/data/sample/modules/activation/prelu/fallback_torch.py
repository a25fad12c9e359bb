import torch
import triton
import triton.language as tl
from torch import nn


class PReLUNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.05, 0.5, channels))

    def forward(self, x):
        slope = self.weight.view(1, -1, 1, 1)
        return torch.where(x >= 0, x, slope * x)
