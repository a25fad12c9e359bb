import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl



class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(24, 48)); self.bias = nn.Parameter(torch.randn(24))

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


def get_inputs():
    return [torch.randn(32, 48)]


def get_init_inputs():
    return []
