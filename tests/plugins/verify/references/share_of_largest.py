import torch
import torch.nn as nn


class Model(nn.Module):
    """The numbers are the same ones in every call."""

    def forward(self, numbers):
        return numbers / numbers.max()


def get_inputs():
    return [torch.arange(3, 67)]


def get_init_inputs():
    return []
