import torch
import torch.nn as nn


class BatchMatMul(nn.Module):
    def forward(self, a, b):
        return torch.bmm(a, b.transpose(1, 2))


def get_inputs():
    return [torch.randn(3, 10, 16), torch.randn(3, 12, 16)]


def get_init_inputs():
    return [[], {}]
