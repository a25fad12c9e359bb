"""Replays of traces that need something compiled which the others do not: of further cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.compiling import COMPILE
from kbtools_plugins.verify.protocol.match import Difference
from kbtools_plugins.verify.protocol.reading import KernelSource
from kbtools_plugins.verify.protocol.reference import ReferenceReply
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.steps import trace_rules
from kbtools_plugins.verify.steps.compile import Compiled, compile_job
from kbtools_plugins.verify.steps.replay import Replays
from kbtools_plugins.verify.steps.runs import Run
from kbtools_plugins.verify.steps.trace_rules import Decided, ReferenceWork

_ON_ANOTHER_CARD = "with what it launches on another card"


def require_work_however(
    traces: Iterable[Trace], source: KernelSource, settings: VerifySettings, reference: ReferenceWork
) -> Iterator[Trace]:
    """The traces to be run of those where answers were others; Decided if torch does the work in one of them.

    What launches something that could not run anywhere is left out: no device may answer so. What callers choose is
    for a note.
    """
    strict = settings.strict_fallback
    for trace in traces:
        if trace.chosen:
            yield trace
            continue
        where = _asked(trace)
        try:
            trace_rules.require_work(trace, source, settings.allow, reference, strict=strict, where=where)
        except Decided as found:
            if found.verdict.startswith(("unsupported:", "compile_error")):
                continue
            raise
        yield trace


def _asked(trace: Trace) -> str:
    return f"where the answer to {trace.where} is another one, " if trace.where else ""


def replay_further(
    traces: list[Trace],
    source: KernelSource,
    reference: ReferenceReply,
    settings: VerifySettings,
    processes: PairProcesses,
) -> Iterator[str]:
    """Notes on what could not be run; Decided if one of them is wrong.

    A launch that is meant for another device need not compile for the one that is emulated. Where callers choose,
    kernels have to be right all the same, unless what is computed is another thing there.
    """
    for trace in {(trace.course(), trace.chosen, trace.free): trace for trace in traces}.values():
        if trace.chosen and not trace.launches:
            yield f"{_asked(trace)}torch does all of the work"
        if trace.chosen and (trace.free or not trace.launches):
            continue
        job = compile_job([trace], [], source, frozenset(), settings)
        outcome = processes.run(COMPILE, job)
        if outcome.reply is None or outcome.reply.error:
            yield f"{_ON_ANOTHER_CARD} or with other answers it does not compile for the emulated one"
            continue
        compiled = Compiled(source, job.launches, outcome.reply.programs)
        kernels, features = trace_rules.launched(trace, source), frozenset(outcome.reply.features)
        replays = Replays(reference, {"main": [trace] * 3}, compiled, kernels, features, settings, processes)
        run = Run(trace, reference.sets[0], what=_asked(trace) or f"{_ON_ANOTHER_CARD}: ")
        try:
            found = replays.compared(run, replays.look(run))
        except Decided:
            if trace.where:
                continue
            raise
        if isinstance(found, Difference):
            raise Decided(found.verdict, found.text, found.max_error)
