"""Plans what is compiled: launches that differ in anything a compiler looks at, and for which targets."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kbtools_plugins.verify import devices
from kbtools_plugins.verify.protocol.compiling import PTX_TARGET, CompileJob, Launch, LaunchProgram
from kbtools_plugins.verify.protocol.reading import KernelSource
from kbtools_plugins.verify.protocol.specialization import compile_value, specialized
from kbtools_plugins.verify.protocol.trace import Trace, TraceStep
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.settings import Target, VerifySettings, machine, on_gpu
from kbtools_plugins.verify.tiers import PTX


@dataclass(frozen=True)
class Compiled:
    """Launches that were compiled, and what the PTX machine runs of each."""

    source: KernelSource
    launches: list[Launch]
    programs: list[LaunchProgram | None] = field(default_factory=list)

    @property
    def runnable(self) -> list[LaunchProgram]:
        """The programs that there are."""
        return [program for program in self.programs if program is not None]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        there = zip(self.launches, self.programs, strict=True) if self.programs else []
        keys = [launch_key(launch) for launch, program in there if program is not None]
        return {key: number for number, key in enumerate(keys)}

    def numbers(self, trace: Trace) -> list[int]:
        """For each of a trace's launches which of the runnable programs is its; empty if one has none."""
        names = clean_names([trace], self.source)
        found = [self._numbers.get(launch_key(launch_of(step, self.source, names))) for step in trace.launches]
        known = [number for number in found if number is not None]
        return known if len(known) == len(found) else []


def compile_job(
    run: list[Trace],
    tried: list[Trace],
    source: KernelSource,
    tuned: Container[str],
    settings: VerifySettings,
    labels: Sequence[Trace] = (),
) -> CompileJob:
    """All that is `run`, and further configurations of tuned kernels that were `tried`, for the first targets.

    What the PTX machine runs is its text: binaries of kernels that turn out to be wrong are not made. What is run for
    `labels` alone need not compile.
    """
    now, later = targets(settings)
    launches = distinct_launches(run, source, now, tuned)
    known = {launch_key(launch) for launch in launches}
    more = distinct_launches(tried, source, now[:1], tuned)
    launches += [launch for launch in more if launch_key(launch) not in known]
    known |= {launch_key(launch) for launch in launches}
    apart = distinct_launches(labels, source, now[:1], tuned)
    launches += [launch.model_copy(update={"optional": True}) for launch in apart if launch_key(launch) not in known]
    spare: list[Target] = [target for target in later if isinstance(target, int)]
    return CompileJob(
        source=source.text,
        launches=launches,
        spare=spare,
        runs=machine(settings).runs_ptx,
        assembles=machine(settings) is not PTX,
        devices=sorted(_present()) if on_gpu(settings) else [],
    )


def later_job(
    run: list[Trace], compiled: Compiled, tuned: Container[str], settings: VerifySettings
) -> CompileJob | None:
    """What was `run`, for the targets that are left and to the binaries that are missing; None if all is there."""
    now, later = targets(settings)
    if machine(settings) is not PTX:
        return None
    launches = distinct_launches(run, compiled.source, [*now, *later], tuned)
    left = [launch.model_copy(update={"targets": _left(launch, later)}) for launch in launches]
    known = dict(zip(map(launch_key, compiled.launches), compiled.programs, strict=True))
    return CompileJob(
        source=compiled.source.text, launches=left, known=[known.get(launch_key(launch)) for launch in left]
    )


def _left(launch: Launch, later: list[Target]) -> list[Target]:
    """Those of a launch's targets that it has no binary for: tuned ones have that of the first."""
    return [target for target in launch.targets if target in later] if launch.tuned else launch.targets


def targets(settings: VerifySettings) -> tuple[list[Target], list[Target]]:
    """What is compiled for before kernels run, and what only after they have turned out to be right.

    The PTX machine runs what is compiled for NVIDIA's devices. On a GPU its own target is among the first: what the
    device runs is compiled ahead of it, on a CPU.
    """
    asked: list[Target] = list(settings.targets)
    if machine(settings) is PTX:
        first = next((target for target in asked if isinstance(target, int)), PTX_TARGET)
        return [first], [target for target in asked if target != first]
    if on_gpu(settings):
        asked += sorted(_present() - set(asked))
    return asked, []


def _present() -> set[int]:
    return {device.capability for device in devices.found()[0]}


def picked(traces: list[Trace], never: list[Launch], source: KernelSource) -> list[Trace]:
    """The traces of configurations that a tuner could pick: none of their launches is among those that never fit."""
    unfit = {launch_key(launch) for launch in never}
    fit = (unfit.isdisjoint(map(launch_key, distinct_launches([trace], source, []))) for trace in traces)
    return [trace for trace, fits in zip(traces, fit, strict=True) if fits]


def launch_key(launch: Launch) -> str:
    """Equal for launches that a compiler cannot tell apart."""
    return json.dumps(launch.model_dump(exclude={"targets", "tuned", "optional", "parsed"}), sort_keys=True)


def clean_names(traces: Sequence[Trace], source: KernelSource) -> dict[str, str]:
    """The name in the clean module for each kernel that traces mention, as `name:line`."""
    found: dict[str, str] = {}
    for trace in traces:
        for step in trace.launches:
            mentioned = [(step.kernel, step.kernel_line), *_functions([*step.bound.values()])]
            for name, line in mentioned:
                kernel = source.find(name, line)
                if kernel is not None:
                    found[f"{name}:{line}"] = kernel.clean_name
    return found


def distinct_launches(
    traces: Sequence[Trace], source: KernelSource, targets: list[Target], tuned: Container[str] = ()
) -> list[Launch]:
    """Launches that differ in anything a compiler may look at; `tuned` names kernels as `name:line`."""
    names = clean_names(traces, source)
    found: dict[str, Launch] = {}
    for trace in traces:
        for step in trace.launches:
            launch = launch_of(step, source, names)
            more = {"targets": _able(launch.bound, targets), "tuned": f"{step.kernel}:{step.kernel_line}" in tuned}
            known = found.setdefault(launch_key(launch), launch.model_copy(update=more))
            if step.parsed and step.parsed not in known.parsed:
                found[launch_key(launch)] = known.model_copy(update={"parsed": [*known.parsed, step.parsed]})
    return list(found.values())


def launch_of(step: TraceStep, source: KernelSource, names: Mapping[str, str]) -> Launch:
    """One launch as a compiler looks at it, for no target yet."""
    kernel = source.find(step.kernel, step.kernel_line)
    constants = kernel.constants if kernel else []
    bound = {
        name: compile_value(value, names) if name in constants else specialized(compile_value(value, names))
        for name, value in step.bound.items()
    }
    clean = names.get(f"{step.kernel}:{step.kernel_line}", step.kernel)
    return Launch(kernel=step.kernel, clean_name=clean, bound=bound, options=step.options, targets=[], tuned=False)


def _functions(tree: Tree) -> list[tuple[str, int]]:
    if isinstance(tree, dict):
        if "function" in tree:
            return [(tree["function"], tree["line"])]
        return [found for value in tree.values() for found in _functions(value)]
    if isinstance(tree, list):
        return [found for value in tree for found in _functions(value)]
    return []


_SINCE_89 = "float8_e4m3fn"
"""The type for which devices have instructions since sm_89, and Triton none before."""


def _able(bound: Mapping[str, Tree], targets: list[Target]) -> list[Target]:
    """The targets that have all types of a launch: a candidate is not to blame for those that do not."""
    if _SINCE_89 not in json.dumps(bound):
        return targets
    return [target for target in targets if target == "gfx950" or (isinstance(target, int) and target >= 89)] or [89]
