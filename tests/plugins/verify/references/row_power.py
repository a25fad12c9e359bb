import random
import torch
import torch.nn as nn


class Model(nn.Module):
    """The second argument is a number, drawn anew with the inputs."""

    def forward(self, x, exponent):
        return x ** exponent + x.mean(dim=1, keepdim=True)


def get_inputs():
    return [torch.randn(8, 48), random.randint(2, 5)]


def get_init_inputs():
    return []
