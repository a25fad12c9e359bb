"""Triton kernels to PTX on a machine without a GPU. With libdevice.py all that knows Triton; both import it late.

Triton's own stages run in order, without its files: what is made of a kernel is handed on in memory.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from kbtools_plugins.ptx import libdevice

Architecture = int | str
"""80 for NVIDIA's sm_80, "gfx942" for AMD's."""
WITH_FP8 = 89
"""The first compute capability that has instructions for all types of fp8."""
_WAVE_32 = ("gfx10", "gfx11", "gfx12")
"""AMD's architectures whose warps have 32 threads; those of the others have 64."""
_MULTIPLIES, _ADDS = (re.compile(rf"\b(?:{names})\S*\.(?:b?f16|f32|f64)") for names in ("mul", "add|sub"))
"""What a compiler may make one instruction of, with one rounding."""
_FUSION = "enable_fp_fusion"


@dataclass(frozen=True)
class CompiledKernel:
    """A kernel as a device would load it, and what its launch needs beside the arguments."""

    name: str
    text: str
    """PTX, or AMD's assembly."""
    fused: str
    """The same PTX where multiplications and additions are one if they can be; empty if the launch decides on that, or
    nobody asks for it."""
    parameters: Mapping[str, Any]
    """Names of the function's parameters and their types as Triton writes them: "*fp32", "i64", "constexpr"."""
    num_warps: int
    shared_bytes: int
    scratch_bytes: int
    """Global memory that each program gets."""
    ttir: str
    """The kernel after Triton's first passes."""
    parsed: str
    """The kernel as Triton has parsed it, before any pass."""


def compile_kernel(
    function: Any,
    arguments: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    target: Architecture = 80,
    *,
    fuses: bool = True,
) -> CompiledKernel:
    """Compile a `@triton.jit` function for one launch, as Triton itself specialises it, to the target's assembly.

    Arguments are what the launch gives: tensors (or what has `dtype`, `data_ptr` and `ptr_range`), numbers, tuples,
    descriptors, functions, and values of constexpr parameters; options are `num_warps`, `num_stages` and the like.
    Without `fuses` there is no fused text.
    """
    source, parsed = _source(function, arguments, options, target)
    if getattr(parsed, "ir_override", None):
        raise ValueError("ir_override puts a file in the place of the kernel")
    stages = _stages(parsed, target)
    metadata: dict[str, Any] = {"target": _target(target), **parsed.__dict__}
    *before, last = [name for name in stages if name != _binary(target)]
    context = _context(target)  # it has to outlive the module
    module = _parsed(source, parsed, target, context)
    before_passes = str(module)
    texts: dict[str, str] = {}
    for name in before:
        module = stages[name](module, metadata)
        if name == "ttir":
            texts[name] = str(module)
    text = stages[last](module, metadata)
    fused = ""
    if fuses and last == "ptx" and _FUSION not in (options or {}) and _ADDS.search(text) and _MULTIPLIES.search(text):
        fused = _stages(replace(parsed, **{_FUSION: True}), target)[last](module, dict(metadata))
    return CompiledKernel(
        name=metadata["name"],
        text=text,
        fused=fused,
        parameters=dict(source.signature),
        num_warps=metadata["num_warps"],
        shared_bytes=metadata["shared"],
        scratch_bytes=metadata.get("global_scratch_size", 0),
        ttir=texts["ttir"],
        parsed=before_passes,
    )


def parse_kernel(
    function: Any, arguments: Mapping[str, Any], options: Mapping[str, Any], target: Architecture = 80
) -> str:
    """What Triton's front end makes of a launch, before any pass; nothing further is compiled."""
    source, chosen = _source(function, arguments, options, target)
    context = _context(target)  # it has to outlive the module
    return str(_parsed(source, chosen, target, context))


def compile_for_launch(
    function: Any, arguments: Mapping[str, Any], options: Mapping[str, Any] | None, target: Architecture
) -> None:
    """Compile to a binary in Triton's cache, where a launch of the same kind on a device finds it."""
    import triton

    source, parsed = _source(function, arguments, options, target)
    triton.compile(source, target=_target(target), options=parsed.__dict__)


def assemble(text: str, options: Mapping[str, Any], target: Architecture) -> str:
    """Have the target's assembler make a binary of a kernel's text; what NVIDIA's says of registers and stack."""
    from triton import knobs

    parsed = _backend(target).parse_options(dict(options))
    said = io.StringIO()
    with contextlib.redirect_stdout(said), knobs.nvidia.scope():
        knobs.nvidia.dump_ptxas_log = True
        _stages(parsed, target)[_binary(target)](text, dict(parsed.__dict__))
    return said.getvalue()


def read_less_of_libdevice() -> None:
    """From now on read only the part of NVIDIA's library that a kernel needs, where that is the common part."""
    from triton._C.libtriton import llvm

    options = _backend(WITH_FP8).parse_options({})
    libraries = [path for _, path in options.extern_libs]
    llvm.link_extern_libs = libdevice.use_common_part(llvm.link_extern_libs, libraries, _context(WITH_FP8))


def lacks_types(error: BaseException, target: Architecture) -> bool:
    """Whether a kernel was refused because its fp8 came with a later compute capability."""
    return isinstance(target, int) and target < WITH_FP8 and "not supported in this architecture" in str(error)


def _source(
    function: Any, arguments: Mapping[str, Any], options: Mapping[str, Any] | None, target: Architecture
) -> tuple[Any, Any]:
    """What Triton compiles, and its options as Triton reads them."""
    from triton.compiler.compiler import ASTSource
    from triton.runtime import driver
    from triton.runtime.jit import create_function_from_signature

    gpu, backend = _target(target), _backend(target)
    driver.set_active(SimpleNamespace(get_current_target=lambda: gpu))  # kernels may ask what they are compiled for
    chosen = dict(options or {})
    bind = create_function_from_signature(function.signature, function.params, backend)
    bound, specialization, _ = bind(**arguments, **chosen)
    parsed, signature, constants, attributes = function._pack_args(backend, chosen, bound, specialization, dict(chosen))
    return ASTSource(function, signature, constants, attributes), parsed


_prepared: list[Any] = []


def prepare_contexts(count: int) -> None:
    """Make what NVIDIA's next kernels are compiled in, so that forks of this process find it there: it takes 4 ms."""
    _prepared.extend(_new_context(WITH_FP8) for _ in range(count))


def _context(target: Architecture) -> Any:
    return _prepared.pop() if _prepared and isinstance(target, int) else _new_context(target)


def _new_context(target: Architecture) -> Any:
    from triton._C.libtriton import ir

    context = ir.context()
    ir.load_dialects(context)
    _backend(target).load_dialects(context)
    return context


def _parsed(source: Any, options: Any, target: Architecture, context: Any) -> Any:
    """A kernel as Triton's first representation."""
    backend = _backend(target)
    functions = backend.get_codegen_implementation(options)
    return source.make_ir(_target(target), options, functions, backend.get_module_map(), context)


def _stages(options: Any, target: Architecture) -> dict[str, Callable[[Any, dict[str, Any]], Any]]:
    """Triton's stages from its first representation to the binary, by what they make."""
    from triton.backends.compiler import Language

    stages: dict[str, Callable[[Any, dict[str, Any]], Any]] = {}
    _backend(target).add_stages(stages, options, Language.TRITON)
    return stages


def _binary(target: Architecture) -> str:
    return str(_backend(target).binary_ext)


def _backend(target: Architecture) -> Any:
    from triton.compiler.compiler import make_backend

    return make_backend(_target(target))


def _target(architecture: Architecture) -> Any:
    from triton.backends.compiler import GPUTarget

    if isinstance(architecture, int):
        return GPUTarget("cuda", architecture, 32)
    return GPUTarget("hip", architecture, 32 if architecture.startswith(_WAVE_32) else 64)
