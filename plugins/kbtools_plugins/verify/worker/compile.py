"""The job that compiles clean kernels for GPUs that need not be there: launches in, cubins' resource needs out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from typing import Any

from kbtools_plugins.ptx.compile import (
    WITH_FP8,
    Architecture,
    CompiledKernel,
    assemble,
    compile_for_launch,
    compile_kernel,
    lacks_types,
    prepare_contexts,
    read_less_of_libdevice,
)
from kbtools_plugins.verify.protocol.compiling import (
    PTX_TARGET,
    CompileJob,
    CompileReply,
    Launch,
    LaunchProgram,
    LaunchUsage,
    architecture_name,
)
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


_CONTEXTS = 4
"""As many as most pairs need: two kernels for two targets, or one and the candidate's own."""


def warm_up() -> None:
    """Compile one kernel, so that forks find the compiler set up, and know each target's assembler by its version."""
    read_less_of_libdevice()
    pointer = {"ref": {"dtype": "float32", "offset": 0, "shape": [1]}}
    name = "warm_up_kernel"
    bound = {"x": pointer, "size": 32}
    launch = Launch(kernel=name, clean_name=name, bound=bound, options={}, targets=[80, 90], tuned=False)
    work = _Work(CompileJob(source=_FIRST_KERNEL, launches=[launch]))
    for target in launch.targets:
        work.compile(0, target)
    prepare_contexts(_CONTEXTS)


def run(job: CompileJob, talk: Talk) -> CompileReply:
    """Resources of each distinct launch on each of its targets, or the first error.

    A configuration of a tuned kernel that needs too much is passed over, as a tuner does, while another one fits.
    """
    work = _Work(job)
    fitting: set[tuple[str, Architecture]] = set()
    too_large: dict[tuple[str, Architecture], str] = {}
    for number, launch in enumerate(job.launches):
        for target in launch.targets:
            try:
                work.compile(number, target)
                fitting.add((launch.kernel, target))
            except OtherCode as error:
                return work.reply(other_code=f"kernel {launch.kernel}: {error}")
            except Exception as error:  # noqa: BLE001 - a kernel's fault is its result
                if launch.optional:
                    continue
                text = _told(launch, target, error)
                if not (launch.tuned and isinstance(error, _passed_over())):
                    return work.reply(error=text)
                too_large[launch.kernel, target] = text
        try:
            work.finish(number)
        except Exception as error:  # noqa: BLE001 - as above
            if not launch.optional:
                return work.reply(error=_told(launch, PTX_TARGET, error))
    if never := [text for place, text in too_large.items() if place not in fitting]:
        return work.reply(error=f"no configuration fits: {never[0]}")
    return work.reply(passed_over=list(too_large.values()))


def _told(launch: Launch, target: Architecture, error: Exception) -> str:
    return f"kernel {launch.kernel} for {architecture_name(target)}: {_last_lines(error)}"


class _Work:
    """What is made of a job's launches."""

    def __init__(self, job: CompileJob) -> None:
        self._job = job
        self._kernels = load_kernels(job.source)
        self._made: dict[tuple[int, Architecture], LaunchProgram] = {}
        self._fit: set[int] = set()
        self._features: set[str] = set()
        self._resources: list[LaunchUsage] = []
        self._programs: list[LaunchProgram | None] = []

    def reply(self, *, error: str = "", other_code: str = "", passed_over: Sequence[str] = ()) -> CompileReply:
        """What is known so far."""
        return CompileReply(
            resources=self._resources,
            passed_over=list(passed_over),
            features=sorted(self._features),
            never=sorted(set(range(len(self._job.launches))) - self._fit),
            programs=self._programs,
            error=error,
            other_code=other_code,
        )

    def compile(self, number: int, target: Architecture) -> None:
        """Have one launch compiled for one of its targets, to a binary if the job wants that."""
        launch = self._job.launches[number]
        program = self._fitting(number, target)
        if self._job.assembles or launch.tuned:
            log = assemble(program.text, launch.options, program.target)
            self._resources.append(_usage(launch.kernel, target, program, log))
        if target in self._job.devices:
            compile_for_launch(*self._call(number), launch.options, target)
        self._fit.add(number)

    def finish(self, number: int) -> None:
        """What else is wanted of a launch that was compiled for its targets, or passed over for all of them."""
        if self._job.runs:
            self._programs.append(None)
        if number not in self._fit and any(self._fits(number, target) for target in self._job.spare):
            self._fit.add(number)
        if self._job.runs:
            self._programs[number] = self._runnable(number) if number in self._fit else None

    def _runnable(self, number: int) -> LaunchProgram | None:
        """What the PTX machine runs; where a device runs the kernel, one that is for newer devices has none."""
        try:
            return self._program(number, PTX_TARGET)
        except Exception:
            if self._job.devices and PTX_TARGET not in self._job.launches[number].targets:
                return None
            raise

    def _fits(self, number: int, target: Architecture) -> bool:
        try:
            program = self._fitting(number, target)
            assemble(program.text, self._job.launches[number].options, program.target)
        except _passed_over():
            return False
        return True

    def _fitting(self, number: int, target: Architecture) -> LaunchProgram:
        """The program; TooLarge if a block on the target has not enough for it."""
        program = self._program(number, target)
        most = _MOST_SHARED.get(target, program.shared_bytes)
        if program.shared_bytes > most:
            text = f"it needs {program.shared_bytes:,} bytes of shared memory for a block, there are {most:,}"
            raise TooLarge(text)
        return program

    def _program(self, number: int, target: Architecture) -> LaunchProgram:
        """For this target, or for the first that has its types: no candidate is to blame for older ones."""
        known = self._job.known[number] if self._job.known else None
        if known is not None and known.target == target:
            return known
        if (number, target) not in self._made:
            self._made[number, target] = self._lowered(number, target)
        return self._made[number, target]

    def _lowered(self, number: int, target: Architecture) -> LaunchProgram:
        try:
            options = self._job.launches[number].options
            kernel = compile_kernel(*self._call(number), options, target, fuses=self._job.runs)
        except Exception as error:
            if lacks_types(error, target):
                return self._program(number, WITH_FP8)
            raise
        _require_same(self._job.launches[number].parsed, kernel.parsed, target)
        self._features |= _features(kernel)
        return LaunchProgram(
            name=kernel.name,
            target=target,
            text=kernel.text,
            fused=kernel.fused,
            parameters=dict(kernel.parameters),
            num_warps=kernel.num_warps,
            shared_bytes=kernel.shared_bytes,
            scratch_bytes=kernel.scratch_bytes,
        )

    def _call(self, number: int) -> tuple[Any, dict[str, Any]]:
        launch = self._job.launches[number]
        arguments = {name: argument(value, self._kernels) for name, value in launch.bound.items()}
        return getattr(self._kernels, launch.clean_name), arguments


_FEATURES = {
    "bfloat16": "bf16",
    "float8": "f8E",
    "libdevice": "tt.extern_elementwise",
    "inline_assembly": "tt.elementwise_inline_asm",
    "pointer_as_number": "tt.ptr_to_int",
}
"""What is looked for in a launch's code: a branch that no launch takes leaves nothing there."""


_INSTRUCTIONS = {"tf32": re.compile(r"mma\S*\.tf32"), "tanh.approx": re.compile(r"tanh\.approx\.f32")}
"""The same in PTX."""


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


def _features(kernel: CompiledKernel) -> set[str]:
    found = {name for name, sign in _FEATURES.items() if sign in kernel.ttir}
    return found | {name for name, sign in _INSTRUCTIONS.items() if sign.search(kernel.text)}


def _usage(kernel: str, target: Architecture, program: LaunchProgram, log: str) -> LaunchUsage:
    nvidia = isinstance(target, int)
    registers, stack = _registers_and_stack(log) if nvidia else _registers_and_spills(program.text)
    return LaunchUsage(
        kernel=kernel, target=target, shared_bytes=program.shared_bytes, registers=registers, spill_bytes=stack
    )


def _registers_and_stack(log: str) -> tuple[int | None, int | None]:
    """Registers and bytes of stack, as NVIDIA's assembler says of the kernel."""
    own = log.partition("Compiling entry function")[2]
    return _number(r"\bUsed (\d+) registers", own), _number(r"\b(\d+) bytes stack frame", own)


def _registers_and_spills(assembly: str) -> tuple[int | None, int | None]:
    """Vector registers and bytes of private memory, as AMD's assembly says at its end."""
    return _number(r"\.vgpr_count:\s+(\d+)", assembly), _number(r"\.private_segment_fixed_size:\s+(\d+)", assembly)


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def _last_lines(error: BaseException) -> str:
    text = "".join(traceback.format_exception_only(error)).strip()
    return re.sub(r"Repro command.*", "", text, flags=re.DOTALL)[-1500:]
