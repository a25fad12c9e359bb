import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, weight, grad, first, second):
        first = first * 0.9 + 0.1 * grad
        second = second * 0.999 + 0.001 * grad * grad
        return weight - 0.1 * first / (torch.sqrt(second) + 1e-4)


def get_inputs():
    return [*torch.randn(2, 16, 40), *torch.zeros(2, 16, 40)]


def get_init_inputs():
    return []
