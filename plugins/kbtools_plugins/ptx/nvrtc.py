"""CUDA C++ kernels to PTX by NVIDIA's runtime compiler, which needs no GPU (extra `cuda`: PyPI's nvidia-cuda-nvrtc)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

PACKAGES = ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12")


class CompileError(Exception):
    """The compiler refused the text; its log is the message."""


class NotInstalled(Exception):
    """The compiler is not there."""


def compile_cuda(source: str, target: int = 80, options: Sequence[str] = ()) -> str:
    """PTX of CUDA C++ for a compute capability, with source lines; names are plain for `extern "C"` kernels."""
    library = compiler()
    program = ctypes.c_void_p()
    _check(library, library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None))
    try:
        given = [f"--gpu-architecture=compute_{target}".encode(), b"--generate-line-info", *map(str.encode, options)]
        failed = library.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
        if failed:
            raise CompileError(_text(library, "ProgramLog", program))
        return _text(library, "PTX", program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


@cache
def compiler() -> ctypes.CDLL:
    """The library of the installed package."""
    for package in PACKAGES:
        try:
            found = [file for file in files(package) or () if file.name.startswith("libnvrtc.so")]
        except PackageNotFoundError:
            continue
        for file in found:
            library = ctypes.CDLL(str(Path(str(file.locate()))))
            library.nvrtcGetErrorString.restype = ctypes.c_char_p
            return library
    raise NotInstalled("CUDA C++ needs NVIDIA's compiler: pip install 'kbtools[cuda]'")


def _check(library: ctypes.CDLL, code: int) -> None:
    if code:
        raise CompileError(library.nvrtcGetErrorString(code).decode())


def _text(library: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _check(library, getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(library, getattr(library, f"nvrtcGet{what}")(program, buffer))
    return buffer.value.decode()
