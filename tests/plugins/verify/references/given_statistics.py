import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    """Normalizes by the batch and moves running statistics that it is given."""

    def forward(self, x, mean, var):
        return F.batch_norm(x, mean, var, training=True, momentum=0.25)


def get_inputs():
    return [torch.randn(16, 12), torch.randn(12), torch.rand(12) + 0.5]


def get_init_inputs():
    return []
