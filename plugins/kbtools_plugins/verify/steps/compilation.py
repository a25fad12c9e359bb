"""Has launches compiled: for what runs them at once, for all other targets beside the replay or after it."""

from __future__ import annotations

from collections.abc import Callable, Container
from importlib.metadata import version

from kbtools_plugins.verify.evidence import Evidence
from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.compiling import COMPILE, CompileJob, CompileReply
from kbtools_plugins.verify.protocol.reading import KernelSource
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.steps.compile import Compiled, compile_job, later_job, targets
from kbtools_plugins.verify.steps.trace_rules import Decided
from kbtools_plugins.verify.verdict import Resources

_LAUNCHES_PER_TIMEOUT = 16
"""Launches to compile that --timeout is meant for; a kernel with many configurations gets more."""


class Compilation:
    """What is made of the launches of one candidate; Decided if one is not taken."""

    def __init__(
        self,
        processes: PairProcesses,
        settings: VerifySettings,
        evidence: Evidence,
        source: KernelSource,
        tuned: Container[str],
        *,
        run: list[Trace],
        tried: list[Trace],
        labels: list[Trace],
    ) -> None:
        """`run` are the traces of all that has to be right but further configurations, which were `tried`; on those of
        `labels` nothing else depends."""
        self._processes = processes
        self._settings = settings
        self._evidence = evidence
        job = compile_job(run, tried, source, tuned, settings, labels)
        reply = self._reply(processes.run(COMPILE, job, self._seconds(job)))
        self.features = frozenset(reply.features)
        self.programs = Compiled(source, job.launches, reply.programs)
        self.never = [job.launches[number] for number in reply.never]
        """Configurations that fit no target."""
        self._rest = self._begun(later_job(run, self.programs, tuned, settings))

    def finish(self) -> None:
        """To the binaries that nothing was run for; Decided if a target does not take a kernel."""
        if self._rest is not None:
            self._reply(self._rest())

    def _begun(self, job: CompileJob | None) -> Callable[[], Outcome[CompileReply]] | None:
        """What waits for the rest, which begins beside the replay where there is a core for it."""
        return None if job is None else self._processes.ahead(COMPILE, job, self._seconds(job))

    def _seconds(self, job: CompileJob) -> float:
        return self._settings.timeout * max(1.0, len(job.launches) / _LAUNCHES_PER_TIMEOUT)

    def _reply(self, outcome: Outcome[CompileReply]) -> CompileReply:
        """What was compiled; Decided if a launch was not."""
        if outcome.failed:
            known = outcome.failed in ("timeout", "out_of_memory")
            raise Decided(outcome.failed if known else "compile_error", f"while compiling: {outcome.error}")
        reply = outcome.known()
        asked = [target for part in targets(self._settings) for target in part]
        self._evidence.resources += tuple(
            Resources(**found.tree()) for found in reply.resources if found.target in asked
        )
        self._evidence.notes += [f"passed over by a tuner: {found}" for found in reply.passed_over]
        if reply.other_code:
            raise Decided("unsupported:other_code", reply.other_code)
        if "have been removed" in reply.error:
            text = f"Triton {version('triton')} no longer has what it uses, Triton 3.6 does: {reply.error[-300:]}"
            raise Decided("unsupported:triton_version", text)
        if reply.error:
            raise Decided("compile_error", f"while compiling: {reply.error}")
        return reply
