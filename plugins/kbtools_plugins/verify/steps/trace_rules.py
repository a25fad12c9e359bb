"""What a trace says by itself: whether a kernel was launched, whether torch did the work, which features it needs.

Also names the reason when a replay did not give the reference's numbers. Raises `Decided` with the verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass

from kbtools_plugins.verify.candidate.kernel_language import NOT_COMPILED
from kbtools_plugins.verify.protocol.operators import (
    base_name,
    is_allocation,
    is_allowed,
    is_update,
    rounds,
)
from kbtools_plugins.verify.protocol.reading import Kernel, KernelSource
from kbtools_plugins.verify.protocol.reference import WorkSize
from kbtools_plugins.verify.protocol.trace import Storage, Trace, TraceStep, live_steps, refs, step_refs
from kbtools_plugins.verify.steps.finishing import largest_input, largest_of, only_finishes


class Decided(Exception):
    """The verdict is known; nothing further is run."""

    def __init__(self, verdict: str, error: str, max_error: float | None = None) -> None:
        super().__init__(f"{verdict}: {error}")
        self.verdict = verdict
        self.error = error
        self.max_error = max_error


@dataclass(frozen=True)
class ReferenceWork:
    """What the reference does, as far as it says what torch may do for a candidate."""

    only_moves: bool
    """Whether it only moves data: then copying is work."""
    size: WorkSize


def count_kernels(trace: Trace) -> dict[str, int]:
    """Launches by kernel name."""
    return dict(Counter(step.kernel for step in trace.launches))


def launched(trace: Trace, source: KernelSource) -> list[Kernel]:
    """The kernels a trace launches; Decided if one is not from the candidate's text or not in the kernel language."""
    found = {}
    for step in trace.launches:
        kernel = source.find(step.kernel, step.kernel_line) if step.kernel_line else None
        if kernel is None:
            raise Decided(
                "unsupported:foreign_kernel",
                f"line {step.line} launches {step.kernel}, which is not defined in the candidate",
            )
        if kernel.problems:
            not_compiled = any(problem.endswith(NOT_COMPILED) for problem in kernel.problems)
            verdict = "compile_error" if not_compiled else "unsupported:kernel_language"
            raise Decided(verdict, f"kernel {kernel.name}: {'; '.join(kernel.problems[:3])}")
        found[kernel.clean_name] = kernel
    return list(found.values())


def is_clean(traces: Iterable[Trace], source: KernelSource) -> bool:
    """Whether traces launch nothing but kernels that may be run."""
    try:
        return all(launched(trace, source) is not None for trace in traces)
    except Decided:
        return False


def require_work(
    trace: Trace,
    source: KernelSource,
    allow: Iterable[str],
    reference: ReferenceWork,
    *,
    strict: bool,
    where: str = "",
) -> float:
    """Decided if no kernel was launched or if torch does what kernels are meant to do; the share that it finishes.

    A `strict` rule leaves nothing to torch. `where` says where the trace was recorded.
    """

    def written(step: TraceStep) -> set[int]:
        return _written_storages(step, source)

    live = live_steps(trace, written, inputs_count=False, buffers_count=False)
    dependent = _dependent_steps(trace)
    work = [step for step in live if not step.kernel and id(step) in dependent
            and not _is_no_work(step, allow, reference.only_moves)]  # fmt: skip
    if not trace.launches:
        raise Decided("no_kernel", where + _no_kernel_text(source, work))
    share = 0.0
    only_copied = all(_only_copies(step, source) for step in live if step.kernel)
    results = {number for step in live if step.kernel for number in written(step)}
    if not strict and not only_copied and only_finishes(work, trace, results, reference.size):
        share = largest_of(trace, work) / largest_input(trace)
        work = []
    if not work:
        updates = [step for step in live_steps(trace, written) if id(step) in dependent]
        _require_small_updates(updates, live, allow)
        return share
    names = ", ".join(f"{step.operator} at line {step.line}" for step in work[:4])
    live_launches = [step for step in live if step.kernel]
    if not live_launches:
        raise Decided("hack:decoy_kernel", f"{where}no launch contributes to the output; torch computes it by {names}")
    if only_copied:
        raise Decided("hack:identity_kernel", f"{where}the kernels only copy what torch computed by {names}")
    raise Decided("fallback", f"{where}torch computes part of the output by {names}")


def require_some_work(traces: Iterable[Trace]) -> None:
    """Decided if kernels have no part in a mode that nothing can be compared in: torch may drop elements there."""
    for trace in traces:
        if not any(step.kernel for step in live_steps(trace, inputs_count=False, buffers_count=False)):
            raise Decided("no_kernel", "in the mode in which the reference is random, torch does all of the work")


def _dependent_steps(trace: Trace) -> set[int]:
    """The identities of steps on inputs, parameters or results of kernels: those that say so, and those that must."""
    reached = {number for number, storage in enumerate(trace.storages) if storage.origin == "input"}
    found: set[int] = set()
    for step in trace.steps:
        touched = {ref.storage for ref in step_refs(step)}
        if step.kernel or step.tainted or touched & reached:
            found.add(id(step))
            if step.kernel or not is_allocation(step.operator):
                reached |= touched
    return found


def _is_no_work(step: TraceStep, allow: Iterable[str], reference_only_moves: bool) -> bool:
    given = [ref.dtype for ref in refs([step.args, step.kwargs])]
    if rounds(step.operator, given, [ref.dtype for ref in step.results]):
        return base_name(step.operator) in {item.removeprefix("aten.") for item in allow}
    return is_allowed(step.operator, allow, reference_only_moves)


def _require_small_updates(live: list[TraceStep], to_output: list[TraceStep], allow: Iterable[str]) -> None:
    """Decided if torch does more for a buffer, or an input that is written to, than the arithmetic of an update."""
    known = {id(step) for step in to_output}
    for step in live:
        if not (step.kernel or id(step) in known or is_allowed(step.operator, allow, False)
                or is_update(step.operator)):  # fmt: skip
            raise Decided(
                "fallback", f"torch computes what memory is updated with by {step.operator} at line {step.line}"
            )


def require_work_on_other_shape(
    trace: Trace, source: KernelSource, allow: Iterable[str], reference: ReferenceWork, *, strict: bool
) -> None:
    """Decided if kernels do the work for the shapes of `get_inputs()` alone."""
    try:
        require_work(trace, source, allow, reference, strict=strict)
    except Decided as decided:
        raise Decided("hack:hard_coded_shapes", f"with one more row in the batch, {decided.error}") from None


_TARGET_WORDS = {"target_info", "current_target", "cuda_capability_geq", "is_hip_cdna3", "is_hip_cdna4"}


def require_same_on_all_machines(kernels: Iterable[Kernel], features: Container[str], *, on_device: bool) -> None:
    """Decided if a kernel may do on another machine what is not seen on this one. What it does on this device is seen,
    but for what hangs on where memory is."""
    text = "what a kernel does depends on the device that it runs on"
    if not on_device and any(_TARGET_WORDS.intersection(kernel.words) for kernel in kernels):
        raise Decided("unsupported:target_dependent", text)
    if "pointer_as_number" in features:
        raise Decided("unsupported:pointer_as_number", text)


def why_wrong(
    first: Trace, second: Trace, kernels: Iterable[Kernel], error: str, max_error: float | None, dtype: str
) -> Decided:
    """The verdict for outputs that are not the reference's."""
    outputs = refs(second.outputs)
    if outputs and all(
        second.storages[ref.storage].origin == "constant" and not _written(second, ref.storage) for ref in outputs
    ):
        return Decided(
            "hack:output_cache", "a later call returned values that no kernel or operator of that call wrote"
        )
    if any(storage.left for storage in _constants(second)):
        return Decided(
            "unsupported:kept_result",
            "a later call uses memory that a kernel was given in an earlier one, and each call is replayed on its own",
        )
    if {storage.content for storage in _constants(first)} != {storage.content for storage in _constants(second)}:
        return Decided(
            "hack:host_computation", "values that reach the output were computed outside torch and Triton; " + error
        )
    reads = sorted({*first.reads, *second.reads})
    if reads and (work := _work_beside(second)):
        return Decided(
            "fallback", f"torch computes by {work[0].operator} at line {work[0].line} and passes values on in Python"
        )
    if reads:
        return Decided(
            "unsupported:host_reads_data",
            f"line {reads[0]} reads an input's value into Python, so no replay can follow",
        )
    halves = {"float16", "bfloat16"} & {word for kernel in kernels for word in kernel.words}
    if halves and dtype == "float32" and max_error is not None and max_error < 5e-2:
        return Decided(
            "hack:lower_precision", f"a float32 result was computed in {', '.join(sorted(halves))}; {error}", max_error
        )
    return Decided("wrong_output", error, max_error)


def _work_beside(trace: Trace) -> list[TraceStep]:
    """Operators whose results reach an output through Python alone: what the trace leads there was judged before."""
    judged = {id(step) for step in live_steps(trace)}
    return [
        step
        for step in trace.steps
        if not (step.kernel or id(step) in judged or is_allowed(step.operator, (), False)) and step.tainted
    ]


def _constants(trace: Trace) -> list[Storage]:
    """Those that matter: storages that a live step or an output reads."""
    wanted = {ref.storage for step in live_steps(trace) for ref in step_refs(step)} | {
        ref.storage for ref in refs(trace.outputs)
    }
    return [trace.storages[number] for number in sorted(wanted) if trace.storages[number].origin == "constant"]


def _written_storages(step: TraceStep, source: KernelSource) -> set[int]:
    kernel = source.find(step.kernel, step.kernel_line)
    names = kernel.written if kernel else list(step.bound)
    return {ref.storage for ref in refs([value for name, value in step.bound.items() if name in names])}


def _written(trace: Trace, storage: int) -> bool:
    return any(
        storage in {ref.storage for ref in [*refs([*step.bound.values()]), *step.results]} for step in trace.steps
    )


def _only_copies(step: TraceStep, source: KernelSource) -> bool:
    kernel = source.find(step.kernel, step.kernel_line)
    return kernel is not None and kernel.only_copies


def _no_kernel_text(source: KernelSource, work: list[TraceStep]) -> str:
    unused = ", ".join(sorted(source.kernels))
    what = f"; the output comes from {base_name(work[0].operator)} at line {work[0].line}" if work else ""
    return (f"{unused} defined but never launched" if unused else "the code has no Triton kernel") + what
