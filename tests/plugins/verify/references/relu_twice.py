import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl



class Model(nn.Module):
    def __init__(self):
        super().__init__()
        pass

    def forward(self, x):
        return torch.relu(x) * 2.0 + 1.0


def get_inputs():
    return [torch.randn(16, 48)]


def get_init_inputs():
    return []
