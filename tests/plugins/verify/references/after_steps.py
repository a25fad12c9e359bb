import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, step):
        return x * (1 - 0.9**step)


def get_inputs():
    return [torch.randn(16, 40), 3]


def get_init_inputs():
    return []
