"""CUDA C++ kernels, compiled by NVRTC, run on the machine."""

import numpy as np
import pytest
import torch

from kbtools_plugins.ptx.faults import OutOfBounds, SharedRace
from kbtools_plugins.ptx.launch import Buffer, launch
from kbtools_plugins.ptx.nvrtc import CompileError, NotInstalled, compile_cuda, compiler

pytestmark = pytest.mark.slow

SOFTMAX = r"""
__device__ float reduced(float value, float* shared, bool largest) {
    for (int step = 16; step > 0; step /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, value, step);
        value = largest ? fmaxf(value, other) : value + other;
    }
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    value = shared[0];
    for (int warp = 1; warp < blockDim.x / 32; warp++)
        value = largest ? fmaxf(value, shared[warp]) : value + shared[warp];
    __syncthreads();
    return value;
}

extern "C" __global__ void softmax(const float* x, float* out, int columns) {
    __shared__ float shared[32];
    const float* row = x + (long long)blockIdx.x * columns;
    float most = __int_as_float(0xff800000), total = 0.0f;
    for (int at = threadIdx.x; at < columns; at += blockDim.x) most = fmaxf(most, row[at]);
    most = reduced(most, shared, true);
    for (int at = threadIdx.x; at < columns; at += blockDim.x) total += expf(row[at] - most);
    total = reduced(total, shared, false);
    for (int at = threadIdx.x; at < columns; at += blockDim.x)
        out[(long long)blockIdx.x * columns + at] = expf(row[at] - most) / total;
}
"""

MATMUL = r"""
#define TILE 16
extern "C" __global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
    __shared__ float left[TILE][TILE], right[TILE][TILE + 1];
    int x = threadIdx.x % TILE, y = threadIdx.x / TILE;
    int row = blockIdx.y * TILE + y, column = blockIdx.x * TILE + x;
    float total = 0.0f;
    for (int start = 0; start < k; start += TILE) {
        left[y][x] = row < m && start + x < k ? a[row * k + start + x] : 0.0f;
        right[y][x] = start + y < k && column < n ? b[(start + y) * n + column] : 0.0f;
        __syncthreads();
        for (int depth = 0; depth < TILE; depth++) total += left[y][depth] * right[depth][x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = total;
}
"""


@pytest.fixture(autouse=True)
def installed() -> None:
    try:
        compiler()
    except NotInstalled as missing:
        pytest.skip(str(missing))


def buffer(name: str, tensor: torch.Tensor) -> Buffer:
    return Buffer(name, tensor.view(torch.uint8).numpy().reshape(-1))


def multiply(source: str) -> tuple[torch.Tensor, torch.Tensor]:
    a, b, c = torch.randn(50, 37), torch.randn(37, 41), torch.zeros(50, 41)
    buffers = [buffer(name, tensor) for name, tensor in (("a", a), ("b", b), ("c", c))]
    launch(compile_cuda(source), "matmul", grid=(3, 4), arguments=[*buffers, 50, 41, 37], num_warps=8)
    return c, a.double() @ b.double()


def test_a_softmax_gives_its_truth() -> None:
    x, out = torch.randn(7, 300), torch.zeros(7, 300)
    launch(
        compile_cuda(SOFTMAX), "softmax", grid=(7,), arguments=[buffer("x", x), buffer("out", out), 300], num_warps=4
    )
    assert torch.allclose(out.double(), x.double().softmax(1), rtol=1e-6, atol=0)


def test_a_tiled_product_gives_its_truth() -> None:
    got, expected = multiply(MATMUL)
    assert torch.allclose(got.double(), expected, rtol=1e-5, atol=1e-5)


def test_a_missing_barrier_is_a_race_that_names_lines_of_the_source() -> None:
    with pytest.raises(SharedRace) as fault:
        multiply(MATMUL.replace("        __syncthreads();\n    }", "    }"))
    first = MATMUL.splitlines().index("    for (int start = 0; start < k; start += TILE) {") + 1
    assert first < fault.value.line.number <= first + 6


def test_a_missing_bound_is_found() -> None:
    with pytest.raises(OutOfBounds):
        multiply(MATMUL.replace("if (row < m && column < n) c[", "c["))


def test_what_the_compiler_says_is_the_error() -> None:
    with pytest.raises(CompileError, match="undefined"):
        compile_cuda("__global__ void broken(float* x) { *x = nothing; }")


def test_intrinsics_on_bits_are_those_of_whole_numbers() -> None:
    source = r"""
    extern "C" __global__ void mixed(const unsigned* x, unsigned* out) {
        unsigned v = x[threadIdx.x];
        unsigned mixed = __brev(v) ^ __umulhi(v, 0x9E3779B9u) ^ __byte_perm(v, ~v, 0x5140);
        out[threadIdx.x] = (__popc(v) + (__clz(v) << 8)) ^ mixed;
    }"""
    x = np.random.default_rng(0).integers(0, 2**32, 64, dtype=np.uint64).astype(np.uint32)
    out = np.zeros(64, np.uint32)
    launch(
        compile_cuda(source),
        grid=(1,),
        num_warps=2,
        arguments=[Buffer("x", x.view(np.uint8)), Buffer("out", out.view(np.uint8))],
    )
    for value, got in zip(x.tolist(), out.tolist(), strict=True):
        both = value | (~value & 0xFFFFFFFF) << 32
        bytes_ = sum(((both >> (8 * place)) & 255) << (8 * at) for at, place in enumerate((0, 4, 1, 5)))
        first = value.bit_count() + ((32 - value.bit_length()) << 8)
        assert got == first ^ int(f"{value:032b}"[::-1], 2) ^ (value * 0x9E3779B9 >> 32) ^ bytes_
