"""A moment that is corrected by how many steps there were."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, step):
        return x / (1.0 - 0.9**step)


def get_inputs():
    return [torch.randn(8, 64), torch.tensor(1)]


def get_init_inputs():
    return []
