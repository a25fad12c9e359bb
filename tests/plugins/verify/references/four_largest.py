"""The four largest of each row, and their places."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        values, places = torch.topk(x, 4, dim=1)
        return values * 2.0, places


def get_inputs():
    return [torch.randn(12, 50)]


def get_init_inputs():
    return []
