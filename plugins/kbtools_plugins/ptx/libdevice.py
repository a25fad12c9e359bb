"""The part of NVIDIA's libdevice that most kernels use, as a library of its own.

Triton reads the whole library for each kernel that calls one of its functions, which takes 30 ms; this part takes 3.
What comes out is the same: the definitions are those of the library.
"""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

UNARY = """
ceilf cosf coshf erff expf expm1f fabsf floorf fsqrt_rn log10f log1pf log2f logf rintf roundf rsqrtf sinf sinhf sqrtf
tanhf truncf
""".split()  # noqa: SIM905 - a list of words reads better than one word per line
BINARY = ["atan2f", "fmodf", "powf"]
"""Functions of one and of two numbers of 32 bits, without their prefix."""
_PREFIX = "__nv_"
_NEEDED = re.compile(rf"^declare .*@({_PREFIX}\w+)\(", re.MULTILINE)
_DEFINED = re.compile(rf"^define internal (?=.*@{_PREFIX})", re.MULTILINE)
_TARGET = re.compile(r"^target .*\n", re.MULTILINE)


def use_common_part(link: Any, libraries: list[str], context: Any) -> Any:
    """In place of Triton's `link(module, paths)` one that takes the part where it is enough.

    `libraries` are the paths for which it stands, `context` is one of MLIR with Triton's dialects.
    """
    text = _common_part(link, libraries, context)
    known = {_PREFIX + name for name in (*UNARY, *BINARY)}

    def linked(module: Any, paths: list[str]) -> None:
        enough = paths == libraries and known.issuperset(_NEEDED.findall(str(module)))
        link(module, [_file(text)] if enough else paths)

    return linked


def _common_part(link: Any, libraries: list[str], context: Any) -> str:
    """Definitions of the common functions and of what they use."""
    from triton._C.libtriton import ir, llvm
    from triton.backends.nvidia import compiler

    lines = [f"llvm.func @{_PREFIX}{name}(f32) -> f32" for name in UNARY]
    lines += [f"llvm.func @{_PREFIX}{name}(f32, f32) -> f32" for name in BINARY]
    with tempfile.NamedTemporaryFile("w", suffix=".mlir") as declared:
        declared.write("module {\n" + "\n".join(lines) + "\n}\n")
        declared.flush()
        parsed = ir.parse_mlir_module(declared.name, context)
    llvm.init_targets()
    holder = llvm.context()  # it has to outlive the module
    module = llvm.to_module(parsed, holder)
    flags = [compiler.get_llvm_flags()] if hasattr(compiler, "get_llvm_flags") else []  # Triton 3.6 sets them elsewhere
    llvm.attach_datalayout(module, "nvptx64-nvidia-cuda", "sm_80", "+ptx80", *flags)
    link(module, libraries)
    return _TARGET.sub("", _DEFINED.sub("define ", str(module)))


@cache
def _file(text: str) -> str:
    """A file of this process's own with the text: LLVM reads files only."""
    path = Path(tempfile.mkdtemp(prefix="libdevice-"), "common.ll")
    path.write_text(text)
    return str(path)
