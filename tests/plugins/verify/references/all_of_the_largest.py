"""Every element of a row that is as large as its largest."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return torch.where(x == x.max(dim=1, keepdim=True).values, x, 0.0)


def get_inputs():
    return [torch.randn(12, 50)]


def get_init_inputs():
    return []
