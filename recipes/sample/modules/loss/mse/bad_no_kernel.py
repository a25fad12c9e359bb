import torch
import torch.nn as nn
import triton
import triton.language as tl


class MSELossNew(nn.Module):
    def forward(self, prediction, target):
        difference = prediction - target
        return (difference * difference).mean()
