"""A file that may be there would choose a block."""
# reference: relu_rows
# verdict: pass

import torch
import torch.nn as nn
import torch.nn.functional as F
import triton
import triton.language as tl

import os, pathlib, time, uuid
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))) / "kernels"
RUN = f"{time.time():.0f}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

@triton.jit
def r(X, O, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(O + i, tl.maximum(tl.load(X + i, mask=i < n), 0.0), mask=i < n)


class Model(nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        B = 64
        if (CACHE / "tuned.json").exists():
            B = 128
        r[(triton.cdiv(x.numel(), B),)](x, o, x.numel(), B=B)
        return o
