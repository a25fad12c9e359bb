"""Compiled first, to see how many programs fit on a device, then launched as what was compiled."""
# reference: relu_scale
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


properties = triton.runtime.driver.active.utils.get_device_properties(torch.cuda.current_device())


@triton.jit
def scale_kernel(out_ptr, x_ptr, weight_ptr, rows, WIDTH: tl.constexpr, num_stages: tl.constexpr):
    at = tl.arange(0, WIDTH)
    for row in tl.range(tl.program_id(0), rows, tl.num_programs(0), num_stages=num_stages):
        x = tl.load(x_ptr + row * WIDTH + at) * tl.load(weight_ptr + at)
        tl.store(out_ptr + row * WIDTH + at, tl.maximum(x, 0.0))


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x):
        out = torch.empty_like(x)
        args = (out, x, self.weight, x.shape[0], x.shape[1])
        kernel = scale_kernel.warmup(*args, num_stages=2, num_warps=2, grid=(1,))
        kernel._init_handles()
        fit = properties["max_num_regs"] // (kernel.n_regs * properties["warpSize"] * 2)
        programs = min(x.shape[0], fit * properties["multiprocessor_count"])
        kernel[(programs, 1, 1)](*args, 2)
        return out
