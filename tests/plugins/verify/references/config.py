import torch
import torch.nn as nn
from _paritybench_helpers import _mock_config


class Scaled(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.scale = config.scale

    def forward(self, x):
        return torch.tanh(x * self.scale)


def get_inputs():
    return [torch.rand([4, 4, 4, 4])]


def get_init_inputs():
    return [[], {"config": _mock_config(scale=0.5)}]
