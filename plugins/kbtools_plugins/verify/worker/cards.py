"""What the one device of the CUDA shim may claim to be."""

from __future__ import annotations

from types import SimpleNamespace


class _CudaDeviceProperties(SimpleNamespace):
    """What torch calls such a thing."""


class CudaUtils(SimpleNamespace):
    """What Triton calls the functions of its driver."""


CudaUtils.__module__ = "triton.backends.nvidia.driver"
_COMMON = {
    "uuid": "7d1f4c2a-51c0-4e0e-9d0b-3f6f1c1b2a90",
    "pci_bus_id": 7,
    "pci_device_id": 0,
    "pci_domain_id": 0,
    "clock_rate": 1_410_000,
    "memory_clock_rate": 1_215_000,
    "memory_bus_width": 5_120,
    "regs_per_multiprocessor": 65_536,
    "warp_size": 32,
    "gcnArchName": "",
    "shared_memory_per_block": 49_152,
    "is_integrated": False,
    "is_multi_gpu_board": False,
    "cuda_version": "12.8",
}


def _card(
    name: str, major: int, minor: int, multiprocessors: int, memory: int, shared: int, **other: object
) -> SimpleNamespace:
    """One card by name, compute capability, multiprocessors, memory, and a multiprocessor's shared memory in bytes."""
    usual = {
        "max_threads_per_multi_processor": 2_048 if minor == 0 else 1_536,
        "shared_memory_per_block_optin": shared - 1_024,
        "L2_cache_size": 52_428_800,
        "cards": 1,
    }
    return _CudaDeviceProperties(
        name=name,
        major=major,
        minor=minor,
        total_memory=memory,
        multi_processor_count=multiprocessors,
        shared_memory_per_multiprocessor=shared,
        **_COMMON | usual | other,
    )


_NOBODYS = {
    "max_threads_per_multi_processor": 1,
    "shared_memory_per_block_optin": 0,
    "L2_cache_size": 0,
    "cuda_version": None,
}
MACHINES = (
    _card("NVIDIA A100-SXM4-40GB", 8, 0, 108, 42_505_273_344, 167_936, L2_cache_size=41_943_040),
    _card("NVIDIA RTX A6000", 8, 6, 84, 51_033_931_776, 102_400, L2_cache_size=6_291_456, cards=2, cuda_version="12.6"),
    _card("", 8, 0, 1, 0, 0, **_NOBODYS),
    _card("NVIDIA H100 80GB HBM3", 9, 0, 132, 85_024_112_640, 233_472),
    _card("NVIDIA H200", 9, 0, 132, 150_109_880_320, 233_472),
    _card("NVIDIA B200", 10, 0, 148, 191_505_104_896, 233_472),
    _card("NVIDIA GeForce RTX 4090", 8, 9, 128, 25_393_692_672, 102_400),
    _card("NVIDIA L40S", 8, 9, 142, 47_697_362_944, 102_400),
    _card("NVIDIA A10G", 8, 6, 80, 23_836_033_024, 102_400),
    _card("NVIDIA GeForce RTX 3090", 8, 6, 82, 25_438_126_080, 102_400),
)
"""A candidate is recorded on the first two: it has to work on both, and the second is one of two. The third is what
nobody has: a build of torch without CUDA whose events all take one millisecond. The others are for candidates that ask
which card there is: they have to leave the work to kernels on each."""

SECOND = 1
"""The card of the place that differs in all else too (record/surroundings.py)."""
