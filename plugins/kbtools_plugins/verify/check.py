"""The course of one check, in the caller's process: read, reference, record, judge, compile, replay, compare."""

from __future__ import annotations

import traceback

from kbtools.errors import KbError
from kbtools_plugins.verify.evidence import Evidence
from kbtools_plugins.verify.fingerprint import fingerprint, require_sandbox
from kbtools_plugins.verify.host.child import WorkerDied
from kbtools_plugins.verify.host.pair_processes import Deadline, DeadlinePassed, PairProcesses
from kbtools_plugins.verify.host.processes import WarmPair, shared_pair
from kbtools_plugins.verify.protocol.reference import NO_LABELS, ReferenceReply
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.secret import secret_numbers
from kbtools_plugins.verify.settings import VerifySettings, machine, on_gpu
from kbtools_plugins.verify.steps import read, record, trace_rules
from kbtools_plugins.verify.steps.compilation import Compilation
from kbtools_plugins.verify.steps.compile import distinct_launches, launch_key, picked
from kbtools_plugins.verify.steps.far import Launches
from kbtools_plugins.verify.steps.further import replay_further, require_work_however
from kbtools_plugins.verify.steps.own_memory import require_own_memory
from kbtools_plugins.verify.steps.places import RecordingPlaces
from kbtools_plugins.verify.steps.reference import ReferenceRun, work_of
from kbtools_plugins.verify.steps.replay import Replays
from kbtools_plugins.verify.steps.spot import SpotCheck
from kbtools_plugins.verify.steps.timing import add_times, timing_of
from kbtools_plugins.verify.steps.trace_rules import Decided
from kbtools_plugins.verify.tiers import PTX
from kbtools_plugins.verify.verdict import Verification

_ATTEMPTS = 3
_WHERE = {
    record.ELSEWHERE: "in another place (user, files, clock, card, settings, with gradients) ",
    record.CARDS: "on another card ",
}


def verify(
    reference: str,
    candidate: str,
    *,
    entry_point: str | None = None,
    settings: VerifySettings | None = None,
    processes: WarmPair | None = None,
    deadline: Deadline | None = None,
) -> Verification:
    """Check one candidate's text against a reference's.

    `entry_point` names the reference's class or function. `processes` are the warm processes to use; without them one
    pair is started on the first call and kept until the interpreter exits. Raises MissingExtra without torch and
    triton, ConfigError where `require_sandbox` cannot be met, DeadlinePassed where `deadline` passes before the end.
    """
    chosen = settings or VerifySettings()
    require_sandbox(chosen)
    for _ in range(_ATTEMPTS):
        try:
            warm = processes or shared_pair()
            return PairCheck(reference, candidate, entry_point, chosen, warm, deadline or Deadline()).run()
        except WorkerDied as error:
            died = error
    error_text = f"{died} in {_ATTEMPTS} attempts, as happens when the machine's memory runs out"
    return Verification(verdict="unsupported:killed", error=error_text, fingerprint=fingerprint(chosen))


class PairCheck:
    """One pair on its way to a verdict."""

    def __init__(
        self,
        reference: str,
        candidate: str,
        entry_point: str | None,
        settings: VerifySettings,
        processes: WarmPair,
        deadline: Deadline,
    ) -> None:
        self._texts = (reference, candidate)
        self._entry_point = entry_point
        self._settings = settings
        self._processes = PairProcesses(processes, settings, deadline)
        self._evidence = Evidence()

    def run(self) -> Verification:
        """The verdict; never raises for a fault of the reference or the candidate."""
        try:
            found = Decided("pass", "", self._check())
        except Decided as decided:
            found = decided
        except (WorkerDied, DeadlinePassed, KbError):
            raise
        except Exception as error:  # noqa: BLE001 - one odd pair must not end the check of all others
            found = Decided("unsupported:internal", f"the check itself failed: {_last_lines(error)}")
        finally:
            self._processes.close()
        self._evidence.processor_seconds = round(self._processes.used, 3)
        return self._evidence.verdict(found.verdict, found.error, found.max_error, self._settings)

    def _check(self) -> float:
        with self._evidence.timed("read"):
            self._read()
        with self._evidence.timed("reference"):
            self._reference = self._run_reference()
        with self._evidence.timed("record"):
            self._recording = self._record()
            self._traces = self._recording.traces
            self._source = read.kernels(self._processes, self._code, self._recording.bindings)
        self._require_work()
        with self._evidence.timed("compile"):
            self._compile()
        if missing := machine(self._settings).lacks(self._kernels, self._main_trace, self._features):
            raise Decided(
                f"unsupported:{missing}", f"this tier cannot decide on it; it compiles: use --tier {PTX.name}"
            )
        trace_rules.require_same_on_all_machines(self._kernels, self._features, on_device=on_gpu(self._settings))
        with self._evidence.timed("replay"):
            try:
                worst = self._replay()
            except Decided as found:
                if found.verdict.startswith("unsupported:ptx"):
                    self._compilation.finish()  # what no assembler takes is not for the machine to have
                raise
        require_own_memory(self._traces, self._reference, self._reference_code)
        if machine(self._settings).runs_ptx:
            self._look_further()
        with self._evidence.timed("compile for other targets"):
            self._compilation.finish()
        return worst

    def _look_further(self) -> None:
        """At what is launched on other cards, and at larger sizes than it was judged on; Decided if that is wrong.

        By the PTX machine, wherever it was judged: no other card is there.
        """
        settings, processes = self._settings.model_copy(update={"tier": PTX.name, "time": False}), self._processes
        with self._evidence.timed("look further"):
            self._evidence.notes += replay_further(self._further, self._source, self._reference, settings, processes)
            if self._evidence.sizes == "cut" and not on_gpu(self._settings):
                seeds = self._secrets("larger input", 1), self._secrets("larger decoy", 1)
                judged = Launches(self._main_trace, self._programs, self._reference.sets[0].tensors)
                spot = SpotCheck(self._pair, self._reference, judged, seeds, settings, processes)
                self._evidence.notes += spot.notes()

    def _read(self) -> None:
        self._pair = found = read.texts(self._processes, *self._texts, self._entry_point)
        self._reference_code, self._reference_name = found.reference, found.reference_name
        self._code, self._name, self._findings = found.candidate, found.name, found.findings

    def _run_reference(self) -> ReferenceReply:
        run = ReferenceRun(
            self._processes,
            self._settings,
            self._evidence,
            seeds=self._secrets("input", self._settings.seeds),
            decoy_seeds=self._secrets("decoy", record.DECOYS),
        )
        reply, pair = run.reply(self._pair)
        self._reference_code, self._code = pair.reference, pair.candidate
        return reply

    def _secrets(self, purpose: str, count: int) -> list[int]:
        return secret_numbers(purpose, count, self._settings.seed, self._texts)

    def _record(self) -> record.Recording:
        self._places = RecordingPlaces(
            self._processes, self._code, self._name, self._reference, self._findings, self._settings
        )
        found = self._places.record()
        self._evidence.notes += self._places.notes
        return found

    def _require_work(self) -> None:
        self._main_trace = self._traces["main"][1]
        self._evidence.kernels = trace_rules.count_kernels(self._main_trace)
        self._labels = set(self._reference.variants) - NO_LABELS
        apart = self._labels | {record.DOUBTS, record.RANDOM}
        required = [(name, trace) for name, traces in self._traces.items() if name not in apart for trace in traces]
        self._kernels = [
            kernel
            for name, trace in required
            if name != record.CARDS
            for kernel in trace_rules.launched(trace, self._source)
        ]
        work, strict = work_of(self._reference), self._settings.strict_fallback
        if not any(trace.launches for trace in self._traces["main"]):
            self._look_for_detection()
        for name, trace in required:
            share = trace_rules.require_work(
                trace,
                self._source,
                self._settings.allow,
                work,
                strict=strict,
                where=_WHERE.get(name, ""),
            )
            self._evidence.torch_share = max(self._evidence.torch_share or 0.0, share)
        for trace in self._traces.get("shape", []):
            trace_rules.require_work_on_other_shape(trace, self._source, self._settings.allow, work, strict=strict)
        trace_rules.require_some_work(self._traces.pop(record.RANDOM, []))
        self._sort_out_cards(self._traces.pop(record.CARDS, []))
        doubted = self._traces.pop(record.DOUBTS)
        self._further += require_work_however(doubted, self._source, self._settings, work)
        for name in self._labels:
            if not trace_rules.is_clean(self._traces.get(name, []), self._source):
                self._traces[name] = []

    def _sort_out_cards(self, traces: list[Trace]) -> None:
        """Traces of other cards that need nothing compiled but what the first place does are run with its own."""
        known = {launch_key(launch) for launch in distinct_launches(self._traces["main"], self._source, [])}
        self._further: list[Trace] = []
        for trace in traces:
            needed = {launch_key(launch) for launch in distinct_launches([trace], self._source, [])}
            (self._traces[record.ELSEWHERE] if needed <= known else self._further).append(trace)

    def _look_for_detection(self) -> None:
        """Decided if a candidate that launches nothing on a device does so where there can be none."""
        traces = self._places.where_nobody_is()
        if any(trace.launches for trace in traces):
            text = "kernels run only where torch has no CUDA or events take 1 ms; on a device torch does the work"
            raise Decided("fallback", text)

    def _compile(self) -> None:
        apart = {record.TUNING, *self._labels}
        self._evidence.tier = machine(self._settings).verdicts_say
        self._compilation = Compilation(
            self._processes,
            self._settings,
            self._evidence,
            self._source,
            self._recording.tuned,
            run=[trace for name, traces in self._traces.items() if name not in apart for trace in traces],
            tried=self._traces[record.TUNING],
            labels=[trace for name in self._labels for trace in self._traces[name]],
        )
        self._features, self._programs = self._compilation.features, self._compilation.programs
        self._traces[record.TUNING] = picked(self._traces[record.TUNING], self._compilation.never, self._source)

    def _replay(self) -> float:
        run = Replays(
            self._reference,
            self._traces,
            self._programs,
            self._kernels,
            self._features,
            self._settings,
            self._processes,
        )
        try:
            worst = run.check()
        finally:
            self._evidence.ran = run.ran
        self._evidence.notes += run.notes
        self._evidence.shape_general = run.general.get("shape")
        self._evidence.layout_general = run.general.get("layout")
        self._evidence.in_place = run.in_place
        if self._settings.time and on_gpu(self._settings):
            timing = timing_of(self._reference, self._reference_code, self._reference_name)
            add_times(self._evidence, run.times(timing))
        return worst


def _last_lines(error: Exception) -> str:
    return "".join(traceback.format_exception(error)[-3:])
