import torch
import torch.nn as nn


class RotaryEmbedding(nn.Module):
    """Rotate the two halves of each query by position-dependent angles."""

    def __init__(self, dim, base=100.0):
        super().__init__()
        self.register_buffer("freq", base ** (-torch.arange(0, dim, 2) / dim))

    def forward(self, x):
        angle = torch.arange(x.shape[1], device=x.device)[:, None] * self.freq
        first, second = x.chunk(2, dim=-1)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def get_inputs():
    return [torch.randn(3, 9, 12)]


def get_init_inputs():
    return [[12], {}]
