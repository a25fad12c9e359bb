"""Rows go to given places of a buffer."""

import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer('cache', torch.zeros(8, 16))

    def forward(self, k_, p):
        self.cache[p] = k_
        return self.cache.sum(0)



def get_inputs():
    return [torch.randn(3, 16), torch.tensor([1, 4, 6])]


def get_init_inputs():
    return []
