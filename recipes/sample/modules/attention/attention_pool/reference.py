import torch
import torch.nn as nn


class AttentionPool(nn.Module):
    """Weighted mean over time; the weights come from a learned query."""

    def __init__(self, dim):
        super().__init__()
        self.query = nn.Parameter(torch.randn(dim))

    def forward(self, x):
        weights = torch.softmax(x @ self.query, dim=1)
        return (weights.unsqueeze(-1) * x).sum(dim=1)


def get_inputs():
    return [torch.randn(3, 11, 20)]


def get_init_inputs():
    return [[20], {}]
