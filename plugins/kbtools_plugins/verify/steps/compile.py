"""Plans what is compiled: launches that differ in anything a compiler looks at, and for which targets."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping

from kbtools_plugins.verify import devices
from kbtools_plugins.verify.protocol.compiling import PTX_TARGET, CompileJob, Launch
from kbtools_plugins.verify.protocol.reading import KernelSource
from kbtools_plugins.verify.protocol.specialization import compile_value, specialized
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.settings import Target, VerifySettings, machine, on_gpu


def compile_job(
    run: list[Trace], tried: list[Trace], source: KernelSource, tuned: Container[str], settings: VerifySettings
) -> CompileJob:
    """All that is `run`, and further configurations of tuned kernels that were `tried`, for the first targets."""
    now, later = targets(settings)
    launches = distinct_launches(run, source, now, tuned)
    known = [plain(launch) for launch in launches]
    more = distinct_launches(tried, source, now[:1], tuned)
    launches += [launch for launch in more if plain(launch) not in known]
    spare: list[Target] = [target for target in later if isinstance(target, int)]
    return CompileJob(source=source.text, launches=launches, spare=spare)


def later_job(
    run: list[Trace], source: KernelSource, tuned: Container[str], settings: VerifySettings
) -> CompileJob | None:
    """What was `run`, for the targets that are left; None without any."""
    _, later = targets(settings)
    launches = distinct_launches(run, source, later, tuned)
    return CompileJob(source=source.text, launches=launches) if later else None


def targets(settings: VerifySettings) -> tuple[list[Target], list[Target]]:
    """What is compiled for before kernels run, and what only after they have turned out to be right.

    The PTX machine runs what is compiled for NVIDIA's devices. On a GPU its own target is among the first: what the
    device runs is compiled ahead of it, on a CPU.
    """
    asked: list[Target] = list(settings.targets)
    if machine(settings) == "ptx":
        first = next((target for target in asked if isinstance(target, int)), PTX_TARGET)
        return [first], [target for target in asked if target != first]
    if on_gpu(settings):
        asked += sorted({device.capability for device in devices.found()[0]} - set(asked))
    return asked, []


def picked(traces: list[Trace], never: list[Launch], source: KernelSource) -> list[Trace]:
    """The traces of configurations that a tuner could pick: none of their launches is among those that never fit."""
    unfit = [plain(launch) for launch in never]
    return [
        trace
        for trace in traces
        if not any(plain(launch) in unfit for launch in distinct_launches([trace], source, []))
    ]


def plain(launch: Launch) -> Launch:
    """A launch without what its place, its targets and its tuner add: what decides the code alone."""
    return launch.model_copy(update={"targets": [], "tuned": False, "parsed": []})


def clean_names(traces: list[Trace], source: KernelSource) -> dict[str, str]:
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
    traces: list[Trace], source: KernelSource, targets: list[Target], tuned: Container[str] = ()
) -> list[Launch]:
    """Launches that differ in anything a compiler may look at; `tuned` names kernels as `name:line`."""
    names = clean_names(traces, source)
    found: dict[str, Launch] = {}
    for trace in traces:
        for step in trace.launches:
            kernel = source.find(step.kernel, step.kernel_line)
            constants = kernel.constants if kernel else []
            bound = {
                name: compile_value(value, names) if name in constants else specialized(compile_value(value, names))
                for name, value in step.bound.items()
            }
            launch = Launch(
                kernel=step.kernel,
                clean_name=names.get(f"{step.kernel}:{step.kernel_line}", step.kernel),
                bound=bound,
                options=step.options,
                targets=_able(bound, targets),
                tuned=f"{step.kernel}:{step.kernel_line}" in tuned,
            )
            key = json.dumps(launch.tree(), sort_keys=True)
            known = found.setdefault(key, launch)
            if step.parsed and step.parsed not in known.parsed:
                found[key] = known.model_copy(update={"parsed": [*known.parsed, step.parsed]})
    return list(found.values())


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
