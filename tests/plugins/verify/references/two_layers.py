import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(features, features) for _ in range(2)])
        self.register_buffer("shift", torch.linspace(-1, 1, features))

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x)) + self.shift
        return x


def get_inputs():
    return [torch.randn(8, 32)]


def get_init_inputs():
    return [32]
