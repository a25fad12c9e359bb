"""One step from a state that get_inputs() gives as zeros, for tokens of which none is padding."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.values = nn.Parameter(torch.randn(20, 16))

    def forward(self, token, state):
        seen = (token != 0)[:, None]
        return torch.where(seen, torch.tanh(self.values[token]) + 0.5 * state, state)


def get_inputs():
    return [torch.randint(1, 20, (12,)), torch.zeros(12, 16)]


def get_init_inputs():
    return []
