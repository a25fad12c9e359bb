import torch
import torch.nn as nn


class Model(nn.Module):
    """Returns what it writes into a tensor that it is given for that."""

    def forward(self, x, out):
        return torch.exp(torch.sigmoid(x) * 3.0, out=out)


def get_inputs():
    return [torch.randn(9, 21), torch.empty(9, 21)]


def get_init_inputs():
    return []
