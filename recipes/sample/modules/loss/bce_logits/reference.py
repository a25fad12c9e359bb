import torch
import torch.nn as nn


class BCEWithLogits(nn.Module):
    """Binary cross-entropy on logits, with a weight for each class."""

    def __init__(self, classes):
        super().__init__()
        self.register_buffer("weight", torch.linspace(0.5, 2.0, classes))

    def forward(self, logits, target):
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, target, weight=self.weight)


def get_inputs():
    return [4 * torch.randn(10, 7), (torch.rand(10, 7) > 0.5).float()]


def get_init_inputs():
    return [[7], {}]
