"""A branch of a millionth of what it is added to."""

import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(32, 32)

    def forward(self, x):
        return x + 1e-6 * self.f(x)



def get_inputs():
    return [torch.randn(16, 32)]


def get_init_inputs():
    return []
