import torch
import torch.nn as nn


class Net(nn.Module):
    """One dense layer."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.fc = nn.Linear(n_in, n_out)

    def forward(self, x):
        return self.fc(x)


def get_inputs():
    return [torch.randn(2, 9, 24)]


def get_init_inputs():
    return [[24, 18], {}]
