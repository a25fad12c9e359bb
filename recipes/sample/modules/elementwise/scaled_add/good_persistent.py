import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def axpy(x_ptr, y_ptr, z_ptr, alpha, numel, NUM_PROGRAMS: tl.constexpr, BLOCK: tl.constexpr):
    # A fixed number of programs walks over the whole array.
    for start in range(tl.program_id(0) * BLOCK, numel, NUM_PROGRAMS * BLOCK):
        idx = start + tl.arange(0, BLOCK)
        inside = idx < numel
        a = tl.load(x_ptr + idx, mask=inside, other=0.0)
        b = tl.load(y_ptr + idx, mask=inside, other=0.0)
        tl.store(z_ptr + idx, tl.fma(b, alpha, a), mask=inside)


class ScaledAddNew(nn.Module):
    PROGRAMS = 2

    def __init__(self, alpha=0.5):
        super().__init__()
        self.alpha = alpha

    def forward(self, x, y):
        z = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        axpy[(self.PROGRAMS,)](
            x.contiguous(), y.contiguous(), z, self.alpha, z.numel(), NUM_PROGRAMS=self.PROGRAMS, BLOCK=64
        )
        return z
