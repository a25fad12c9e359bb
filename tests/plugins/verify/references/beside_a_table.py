import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, table):
        return torch.sqrt(x * x + 1) + table.mean()


def get_inputs():
    return [torch.randn(8, 16), torch.randn(256, 256)]


def get_init_inputs():
    return []
