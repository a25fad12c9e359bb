"""Sums of integers that are wider than what is summed."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return x.sum(dim=1)


def get_inputs():
    return [torch.randint(0, 100, (12, 50), dtype=torch.int32)]


def get_init_inputs():
    return []
