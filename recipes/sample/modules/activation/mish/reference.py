import torch
import torch.nn as nn


class Mish(nn.Module):
    def forward(self, x):
        return x * torch.tanh(torch.nn.functional.softplus(x))


def get_inputs():
    return [3 * torch.randn(5, 7, 11)]


def get_init_inputs():
    return [[], {}]
