"""What the one device of the CUDA shim may claim to be."""

from __future__ import annotations

from types import SimpleNamespace

_COMMON = {
    "regs_per_multiprocessor": 65_536,
    "warp_size": 32,
    "gcnArchName": "",
    "shared_memory_per_block": 49_152,
    "is_integrated": False,
    "is_multi_gpu_board": False,
    "cuda_version": "12.8",
}
MACHINES = (
    SimpleNamespace(
        name="NVIDIA A100-SXM4-40GB",
        major=8,
        minor=0,
        total_memory=42_505_273_344,
        multi_processor_count=108,
        max_threads_per_multi_processor=2_048,
        shared_memory_per_block_optin=166_912,
        shared_memory_per_multiprocessor=167_936,
        L2_cache_size=41_943_040,
        cards=1,
        **_COMMON,
    ),
    SimpleNamespace(
        name="NVIDIA RTX A6000",
        major=8,
        minor=6,
        total_memory=51_033_931_776,
        multi_processor_count=84,
        max_threads_per_multi_processor=1_536,
        shared_memory_per_block_optin=101_376,
        shared_memory_per_multiprocessor=102_400,
        L2_cache_size=6_291_456,
        cards=2,
        **_COMMON | {"cuda_version": "12.6"},
    ),
    SimpleNamespace(
        name="",
        major=8,
        minor=0,
        total_memory=0,
        multi_processor_count=1,
        max_threads_per_multi_processor=1,
        shared_memory_per_block_optin=0,
        shared_memory_per_multiprocessor=0,
        L2_cache_size=0,
        cards=1,
        **_COMMON | {"cuda_version": None},
    ),
)
"""A candidate is recorded on the first two: it has to work on both, and the second is one of two. The last is what
nobody has: a build of torch without CUDA whose events all take one millisecond."""

SECOND = 1
"""The card of the place that differs in all else too (record/surroundings.py)."""
