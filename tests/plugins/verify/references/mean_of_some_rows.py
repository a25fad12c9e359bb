"""Means of as many rows as an input says."""

import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def forward(self, x, n):
        o = torch.zeros_like(x[:, 0])
        m = torch.arange(x.shape[1], device=x.device)[None, :] < n[:, None]
        return (x * m[..., None]).sum(1) / n.clamp(min=1)[:, None]



def get_inputs():
    return [torch.randn(6, 20, 16), torch.randint(0, 21, (6,))]


def get_init_inputs():
    return []
