"""Triton kernels to PTX on a machine without a GPU. The only module here that knows Triton, and it imports it late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

Architecture = int | str
"""80 for NVIDIA's sm_80, "gfx942" for AMD's."""
WITH_FP8 = 89
"""The first compute capability that has instructions for all types of fp8."""
_WAVE_32 = ("gfx10", "gfx11", "gfx12")
"""AMD's architectures whose warps have 32 threads; those of the others have 64."""


@dataclass(frozen=True)
class CompiledKernel:
    """A kernel as a device would load it, and what its launch needs beside the arguments."""

    name: str
    text: str
    """PTX, or AMD's assembly."""
    parameters: Mapping[str, Any]
    """Names of the function's parameters and their types as Triton writes them: "*fp32", "i64", "constexpr"."""
    num_warps: int
    shared_bytes: int
    scratch_bytes: int
    """Global memory that each program gets."""
    binary: bytes
    ttir: str
    """The kernel after Triton's first passes."""
    parsed: str
    """The kernel as Triton has parsed it, before any pass."""


def compile_kernel(
    function: Any, arguments: Mapping[str, Any], options: Mapping[str, Any] | None = None, target: Architecture = 80
) -> CompiledKernel:
    """Compile a `@triton.jit` function for one launch, as Triton itself specialises it.

    Arguments are what the launch gives: tensors (or what has `dtype`, `data_ptr` and `ptr_range`), numbers, tuples,
    descriptors, functions, and values of constexpr parameters; options are `num_warps`, `num_stages` and the like.
    """
    import triton

    gpu = _target(target)
    backend, source, signature, parsed_options = _prepared(function, arguments, options or {}, gpu)
    kernel = triton.compile(source, target=gpu, options=parsed_options.__dict__)
    metadata = kernel.metadata
    return CompiledKernel(
        name=metadata.name,
        text=kernel.asm["ptx" if gpu.backend == "cuda" else "amdgcn"],
        parameters=dict(signature),
        num_warps=metadata.num_warps,
        shared_bytes=metadata.shared,
        scratch_bytes=getattr(metadata, "global_scratch_size", 0),
        binary=kernel.asm[backend.binary_ext],
        ttir=kernel.asm["ttir"],
        parsed=kernel.asm["source"],
    )


def parsed(function: Any, arguments: Mapping[str, Any], options: Mapping[str, Any], target: Architecture = 80) -> str:
    """What Triton's front end makes of a launch, before any pass; nothing further is compiled."""
    from triton.compiler.compiler import ir

    gpu = _target(target)
    backend, source, _, chosen = _prepared(function, arguments, options, gpu)
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    made = source.make_ir(gpu, chosen, backend.get_codegen_implementation(chosen), backend.get_module_map(), context)
    return str(made)


def _prepared(
    function: Any, arguments: Mapping[str, Any], options: Mapping[str, Any], gpu: Any
) -> tuple[Any, Any, Mapping[str, Any], Any]:
    """The backend, the launch as Triton specialises it, its signature, and the backend's options."""
    from triton.compiler.compiler import ASTSource, make_backend
    from triton.runtime import driver
    from triton.runtime.jit import create_function_from_signature

    driver.set_active(SimpleNamespace(get_current_target=lambda: gpu))  # kernels may ask what they are compiled for
    backend = make_backend(gpu)
    chosen = dict(options)
    bind = create_function_from_signature(function.signature, function.params, backend)
    bound, specialization, _ = bind(**arguments, **chosen)
    parsed_options, signature, constants, attributes = function._pack_args(
        backend, chosen, bound, specialization, dict(chosen)
    )
    return backend, ASTSource(function, signature, constants, attributes), signature, parsed_options


def lacks_types(error: BaseException, target: Architecture) -> bool:
    """Whether a kernel was refused because its fp8 came with a later compute capability."""
    return isinstance(target, int) and target < WITH_FP8 and "not supported in this architecture" in str(error)


def _target(architecture: Architecture) -> Any:
    from triton.backends.compiler import GPUTarget

    if isinstance(architecture, int):
        return GPUTarget("cuda", architecture, 32)
    return GPUTarget("hip", architecture, 32 if architecture.startswith(_WAVE_32) else 64)
