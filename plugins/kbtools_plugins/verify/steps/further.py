"""Replays of traces that need something compiled which the others do not: of further cards."""

from __future__ import annotations

from collections.abc import Iterator

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
from kbtools_plugins.verify.steps.trace_rules import Decided

_ON_ANOTHER_CARD = "with what it launches on another card: "


def replay_further(
    traces: list[Trace],
    source: KernelSource,
    reference: ReferenceReply,
    settings: VerifySettings,
    processes: PairProcesses,
) -> Iterator[str]:
    """Notes on what could not be run; Decided if one of them is wrong.

    A launch that is meant for another device need not compile for the one that is emulated.
    """
    for trace in {trace.course(): trace for trace in traces}.values():
        job = compile_job([trace], [], source, frozenset(), settings)
        outcome = processes.run(COMPILE, job)
        if outcome.reply is None or outcome.reply.error:
            yield "what it launches on another card does not compile for the emulated one"
            continue
        compiled = Compiled(source, job.launches, outcome.reply.programs)
        kernels, features = trace_rules.launched(trace, source), frozenset(outcome.reply.features)
        replays = Replays(reference, {"main": [trace] * 3}, compiled, kernels, features, settings, processes)
        run = Run(trace, reference.sets[0], what=_ON_ANOTHER_CARD)
        found = replays.compared(run, replays.look(run))
        if isinstance(found, Difference):
            raise Decided(found.verdict, found.text, found.max_error)
