"""A tuner that keeps its timings on disk, prunes its configurations and measures by graphs of launches."""
# reference: softmax
# verdict: pass

import torch
import torch.nn as nn
import triton
import triton.language as tl


def wide_enough(configs, named_args, **kwargs):
    return [config for config in configs if config.num_warps <= 4]


@triton.heuristics({"BLOCK": lambda args: triton.next_power_of_2(args["width"])})
@triton.autotune(
    configs=[triton.Config({}, num_warps=warps) for warps in (1, 4, 8)],
    key=["width"],
    prune_configs_by={"early_config_prune": wide_enough},
    use_cuda_graph=True,
    cache_results=True,
)
@triton.jit
def softmax_kernel(x_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * width + at, mask=at < width, other=float("-inf"))
    weights = tl.exp(x - tl.max(x, 0))
    tl.store(out_ptr + row * width + at, weights / tl.sum(weights, 0), mask=at < width)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        softmax_kernel[(x.numel() // x.shape[-1],)](x, out, x.shape[-1])
        return out
