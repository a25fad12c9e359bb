"""The job that compiles clean kernels for GPUs that need not be there: launches in, cubins' resource needs out."""

from __future__ import annotations

import re
import subprocess
import tempfile
import traceback
from pathlib import Path
from types import ModuleType

import triton

from kbtools_plugins.ptx.compile import WITH_FP8, Architecture, CompiledKernel, compile_kernel, lacks_types
from kbtools_plugins.verify.protocol.compiling import CompileJob, CompileReply, Launch, Usage, architecture_name
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker.arguments import argument
from kbtools_plugins.verify.worker.normal_form import FAILED, normal_form
from kbtools_plugins.verify.worker.replay.job import load_kernels

_MOST_SHARED: dict[Architecture, int] = {
    75: 65_536, 80: 166_912, 86: 101_376, 87: 166_912, 89: 101_376, 90: 232_448, 100: 232_448, 103: 232_448,
    120: 101_376, 121: 101_376, "gfx90a": 65_536, "gfx942": 65_536, "gfx950": 163_840, "gfx1100": 65_536,
}  # fmt: skip
"""Bytes of shared memory that one block may have, by compute capability (CUDA C++ Programming Guide, 16.2) and by
AMD's architectures."""


_FIRST_KERNEL = """
import triton
import triton.language as tl


@triton.jit
def warm_up_kernel(x, size: tl.constexpr):
    at = tl.arange(0, size)
    tl.store(x + at, tl.sum(tl.load(x + at), 0) + at)
"""


def warm_up() -> None:
    """Compile one kernel, so that forks find the compiler set up."""
    kernels = load_kernels(_FIRST_KERNEL)
    pointer = {"ref": {"dtype": "float32", "offset": 0, "shape": [1]}}
    name = "warm_up_kernel"
    bound = {"x": pointer, "size": 32}
    launch = Launch(kernel=name, clean_name=name, bound=bound, options={}, targets=[80], tuned=False)
    _compile(kernels, launch, 80, set())


def run(job: CompileJob, talk: Talk) -> CompileReply:
    """Resources of each distinct launch on each of its targets, or the first error.

    A configuration of a tuned kernel that needs too much is passed over, as a tuner does, while another one fits.
    """
    kernels = load_kernels(job.source)
    resources: list[Usage] = []
    too_large: dict[tuple[str, Architecture], str] = {}
    fits: set[int] = set()
    features: set[str] = set()
    for number, launch in enumerate(job.launches):
        for target in launch.targets:
            where = f"kernel {launch.kernel} for {architecture_name(target)}: "
            try:
                resources.append(_usage(kernels, launch, target, features))
                fits.add(number)
            except OtherCode as error:
                return CompileReply(resources=resources, other_code=f"kernel {launch.kernel}: {error}")
            except Exception as error:  # noqa: BLE001 - a kernel's fault is its result
                text = where + _last_lines(error)
                if not (launch.tuned and isinstance(error, _passed_over())):
                    return CompileReply(resources=resources, error=text)
                too_large[launch.kernel, target] = text
        if number not in fits and any(_fits(kernels, launch, target) for target in job.spare):
            fits.add(number)
    fitting = {(found.kernel, found.target) for found in resources}
    if never := [text for place, text in too_large.items() if place not in fitting]:
        return CompileReply(resources=resources, error=f"no configuration fits: {never[0]}")
    return CompileReply(
        resources=resources,
        passed_over=list(too_large.values()),
        features=sorted(features),
        never=sorted(set(range(len(job.launches))) - fits),
    )


def _fits(kernels: ModuleType, launch: Launch, target: Architecture) -> bool:
    try:
        return bool(_compile(kernels, launch, target, set()))
    except _passed_over():
        return False


_FEATURES = {
    "bfloat16": "bf16",
    "float8": "f8E",
    "libdevice": "tt.extern_elementwise",
    "inline_assembly": "tt.elementwise_inline_asm",
}
"""What is looked for in a launch's code: a branch that no launch takes leaves nothing there."""


_TF32 = re.compile(r"mma\S*\.tf32")


class TooLarge(Exception):
    """The kernel compiles but needs more than a block on the target may have."""


def _passed_over() -> tuple[type[Exception], ...]:
    """What Triton's autotuner takes as a configuration that is not to be had."""
    from triton.compiler.errors import CompileTimeAssertionFailure
    from triton.runtime.errors import PTXASError

    return (TooLarge, CompileTimeAssertionFailure, PTXASError)


class OtherCode(Exception):
    """The candidate's own module gives other code than its text says."""


def _require_same(own: list[str], parsed: str, target: Architecture) -> None:
    for found in own:
        of, _, digest = found.partition(" ")
        if of != str(target):
            continue
        if digest.startswith(FAILED):
            raise ValueError(f"in the candidate's own module Triton does not take it: {digest.removeprefix(FAILED)}")
        if digest != normal_form(parsed):
            raise OtherCode("in the candidate's own module Triton makes other code of it than its text says")


def _usage(kernels: ModuleType, launch: Launch, target: Architecture, features: set[str]) -> Usage:
    """What it needs on this target, or on the first that has its types: no candidate is to blame for older ones."""
    try:
        return _compile(kernels, launch, target, features)
    except Exception as error:
        if lacks_types(error, target):
            return _compile(kernels, launch, WITH_FP8, features)
        raise


def _compile(kernels: ModuleType, launch: Launch, target: Architecture, features: set[str]) -> Usage:
    arguments = {name: argument(value, kernels) for name, value in launch.bound.items()}
    kernel = compile_kernel(getattr(kernels, launch.clean_name), arguments, launch.options, target)
    _require_same(launch.parsed, kernel.parsed, target)
    features |= {name for name, sign in _FEATURES.items() if sign in kernel.ttir}
    if _TF32.search(kernel.text):
        features.add("tf32")
    most = _MOST_SHARED.get(target, kernel.shared_bytes)
    if kernel.shared_bytes > most:
        raise TooLarge(f"it needs {kernel.shared_bytes:,} bytes of shared memory for a block, there are {most:,}")
    registers, stack = _registers_and_stack(kernel) if isinstance(target, int) else _registers_and_spills(kernel.text)
    return Usage(
        kernel=launch.kernel,
        target=target,
        shared_bytes=kernel.shared_bytes,
        registers=registers,
        spill_bytes=stack,
    )


def _registers_and_stack(kernel: CompiledKernel) -> tuple[int | None, int | None]:
    """Registers and spilled bytes by cuobjdump, which comes with Triton; nothing where it is missing."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    if not tool.exists():
        return None, None
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(kernel.binary)
        report = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=False).stdout
    return _number(r"\bREG:(\d+)", report), _number(r"\bSTACK:(\d+)", report)


def _registers_and_spills(assembly: str) -> tuple[int | None, int | None]:
    """Vector registers and bytes of private memory, as AMD's assembly says at its end."""
    return _number(r"\.vgpr_count:\s+(\d+)", assembly), _number(r"\.private_segment_fixed_size:\s+(\d+)", assembly)


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def _last_lines(error: BaseException) -> str:
    text = "".join(traceback.format_exception_only(error)).strip()
    return re.sub(r"Repro command.*", "", text, flags=re.DOTALL)[-1500:]
