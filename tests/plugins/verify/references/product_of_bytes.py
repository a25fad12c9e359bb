"""A product of small integers, summed in each row."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, y):
        return (x.int() * y.int()).sum(dim=1)


def get_inputs():
    return [torch.randint(-8, 8, (12, 50)).to(torch.int8), torch.randint(-8, 8, (12, 50)).to(torch.int8)]


def get_init_inputs():
    return []
