
import triton
import triton.language as tl


@triton.jit
def warm_up_kernel(x, size: tl.constexpr):
    at = tl.arange(0, size)
    tl.store(x + at, tl.sum(tl.load(x + at), 0) + at)
