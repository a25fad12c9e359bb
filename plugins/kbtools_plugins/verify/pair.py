"""The course of one check, in the caller's process: read, reference, record, judge, compile, replay, compare."""

from __future__ import annotations

import ast
import atexit
import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from kbtools_plugins.verify import code as texts
from kbtools_plugins.verify import judge, kernel_source, reference_fitness, replaying, shrink, static_rules
from kbtools_plugins.verify.fingerprint import fingerprint, require_sandbox
from kbtools_plugins.verify.judge import Decided
from kbtools_plugins.verify.processes import Outcome, WarmPair, WorkerDied
from kbtools_plugins.verify.settings import VerifySettings, on_gpu
from kbtools_plugins.verify.trace import BadTrace, Trace, read
from kbtools_plugins.verify.verdict import Resources, Verdict
from kbtools_plugins.verify.wire import Tree

DECOYS = 2
_MOST_CONFIGURATIONS = 16
"""Of a tuned kernel that are compiled: the first fifteen and the last."""
_ATTEMPTS = 3
_COMFORTABLE_ELEMENTS, _MOST_ELEMENTS = 2**17, 2**21
"""Sizes of inputs and parameters that the interpreter does quickly, and at all."""
_FEWEST_REPEATS = 6
_TIER = "interpreter+compile"


def verify(
    reference: str,
    candidate: str,
    *,
    entry_point: str | None = None,
    settings: VerifySettings | None = None,
    processes: WarmPair | None = None,
) -> Verdict:
    """Check one candidate's text against a reference's.

    `entry_point` names the reference's class or function. `processes` are the warm processes to use; without them one
    pair is started on the first call and kept until the interpreter exits. Raises MissingExtra without torch and
    triton, ConfigError where `require_sandbox` cannot be met.
    """
    chosen = settings or VerifySettings()
    require_sandbox(chosen)
    for _ in range(_ATTEMPTS):
        try:
            return PairCheck(reference, candidate, entry_point, chosen, processes or _shared_processes()).run()
        except WorkerDied as error:
            died = error
    text = f"{died} in {_ATTEMPTS} attempts, as happens when the machine's memory runs out"
    return Verdict(verdict="unsupported:killed", error=text, fingerprint=fingerprint(chosen))


@dataclass
class _Evidence:
    """What is known so far; becomes part of the verdict whatever it is."""

    tier: str = "static"
    kernels: dict[str, int] = field(default_factory=dict)
    resources: tuple[Resources, ...] = ()
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    shape_general: bool | None = None
    layout_general: bool | None = None
    speedup: float | None = None
    ref_ms: tuple[float, float, float] | None = None
    kernel_ms: tuple[float, float, float] | None = None


class PairCheck:
    """One pair on its way to a verdict."""

    def __init__(
        self, reference: str, candidate: str, entry_point: str | None, settings: VerifySettings, processes: WarmPair
    ) -> None:
        self._texts = (reference, candidate)
        self._entry_point = entry_point
        self._settings = settings
        self._processes = processes
        self._evidence = _Evidence()

    def run(self) -> Verdict:
        """The verdict; never raises for a fault of the reference or the candidate."""
        try:
            return self._verdict("pass", "", self._check())
        except Decided as decided:
            return self._verdict(decided.verdict, decided.error, decided.max_error)

    def _check(self) -> float:
        with self._timed("read"):
            self._read()
        with self._timed("reference"):
            self._reference = self._run_reference()
        with self._timed("record"):
            self._traces = self._record()
        self._judge()
        with self._timed("compile"):
            self._compile()
        if not on_gpu(self._settings) and (missing := judge.features_without_gpu(self._kernels, self._main_trace)):
            raise Decided(
                f"unsupported:{missing}",
                f"Triton's interpreter cannot decide on {missing}; it compiles, run it on a GPU",
            )
        with self._timed("replay"):
            return self._replay()

    def _read(self) -> None:
        reference, candidate = self._texts
        try:
            self._reference_code = texts.extract(reference)
            self._reference_name = texts.reference_entry(texts.parse(self._reference_code), self._entry_point)
        except texts.NoCode as error:
            raise Decided("reference_error", f"the reference: {error}") from None
        try:
            tree = self._take(texts.extract(candidate))
            self._name = texts.candidate_entry(tree, self._reference_name)
        except texts.NoCode as error:
            raise Decided("compile_error", f"the candidate: {error}") from None
        if finding := static_rules.first_finding(tree, self._reference_name):
            raise Decided(finding.verdict, finding.text)

    def _take(self, code: str) -> ast.Module:
        """Make this the candidate's code."""
        tree = texts.parse(code)
        self._code, self._source = code, kernel_source.extract(tree)
        return tree

    def _run_reference(self) -> dict[str, Tree]:
        outcome = self._reference_outcome(self._reference_code, _COMFORTABLE_ELEMENTS)
        if outcome.failed == "too_large":
            outcome = self._smaller_reference() or self._reference_outcome(self._reference_code, _MOST_ELEMENTS)
        if outcome.failed == "too_large":
            raise Decided("unsupported:too_large", f"{outcome.error}, too many for the interpreter")
        if outcome.failed:
            known = outcome.failed.startswith(("reference_", "unsupported:"))
            raise Decided(outcome.failed if known else "reference_error", outcome.error or outcome.failed)
        reference_fitness.check(outcome.reply)
        return outcome.reply

    def _reference_outcome(self, code: str, most_elements: int) -> Outcome:
        job = {
            "code": code,
            "entry": self._reference_name,
            "seeds": self._secrets("input", self._settings.seeds),
            "decoy_seeds": self._secrets("decoy", DECOYS),
            "most_elements": 0 if on_gpu(self._settings) else most_elements,
        }
        return self._processes.run("reference", job, self._settings)

    def _smaller_reference(self) -> Outcome | None:
        """The largest version that the interpreter does quickly, if any; from then on both sides have its constants."""
        names = set(shrink.constants(self._reference_code))
        for limit in shrink.LIMITS if names else ():
            code = shrink.shrunk(self._reference_code, names, limit)
            outcome = self._reference_outcome(code, _COMFORTABLE_ELEMENTS)
            if not outcome.failed:
                self._reference_code = code
                self._take(shrink.shrunk(self._code, names, limit))
                self._evidence.notes.append(
                    f"sizes above {limit} among the module's constants were cut down to {limit}"
                )
                return outcome
        return None

    def _secrets(self, purpose: str, count: int) -> list[int]:
        """Numbers that nobody who writes a candidate can know; the same ones for a pair if the settings have a seed."""
        if self._settings.seed is None:
            return [secrets.randbits(31) for _ in range(count)]
        texts = "\0".join([purpose, str(self._settings.seed), *self._texts])
        return [
            int.from_bytes(hashlib.sha256(f"{number}\0{texts}".encode()).digest()[:4]) >> 1 for number in range(count)
        ]

    def _record(self) -> dict[str, list[Trace]]:
        job = {
            "code": self._code,
            "entry": self._name,
            "init": self._reference["init"],
            "state": self._reference["state"],
            "allow": list(self._settings.allow),
            "plans": list(self._plans()),
        }
        outcome = self._processes.run("record", job, self._settings)
        if outcome.failed:
            raise Decided(_candidate_failure(outcome), outcome.error)
        try:
            plans = outcome.reply["plans"]
            traces = {name: [read(tree) for tree in found.get("traces", [])] for name, found in plans.items()}
            self._note_tuning(plans["tuning"])
            if len(traces["main"]) != DECOYS + 1:
                raise BadTrace(f"{len(traces['main'])} traces of the main plan")
        except (BadTrace, KeyError, AttributeError, TypeError) as error:
            raise Decided("hack:forged_result", f"what came back is no trace: {error}") from None
        return traces

    def _plans(self) -> Iterator[dict[str, Tree]]:
        main, decoys = self._reference["main"], self._reference["decoys"]
        updated = {mode: list(found["state"]) for mode, found in self._reference["modes"].items()}
        repeats = _FEWEST_REPEATS + secrets.randbelow(
            _FEWEST_REPEATS
        )  # a candidate cannot know when it is watched last
        common = {"mode": main, "updated": updated[main]}
        yield {"name": "main", **common, "inputs": decoys, "required": True, "repeats": repeats}
        for mode, found in self._reference["modes"].items():
            if mode != main and not found["random"]:
                yield {"name": mode, "mode": mode, "updated": updated[mode], "inputs": decoys[:1], "required": True}
        yield {"name": "tuning", **common, "inputs": decoys[:1], "tuning": _MOST_CONFIGURATIONS}
        for name, variant in self._reference["variants"].items():
            yield {"name": name, **common, "inputs": [variant["decoy"]]}

    def _judge(self) -> None:
        self._main_trace = self._traces["main"][1]
        self._evidence.kernels = judge.count_kernels(self._main_trace)
        required = [
            trace
            for name, traces in self._traces.items()
            if name not in self._reference["variants"]
            for trace in traces
        ]
        self._kernels = [kernel for trace in required for kernel in judge.launched(trace, self._source)]
        only_moves = reference_fitness.only_moves(self._reference)
        for trace in required:
            judge.judge(trace, self._source, self._settings.allow, only_moves)
        for trace in self._traces.get("shape", []):
            judge.judge_other_shape(trace, self._source, self._settings.allow, only_moves)
        for name in self._reference["variants"]:
            if not judge.is_clean(self._traces.get(name, []), self._source):
                self._traces[name] = []

    def _compile(self) -> None:
        launches = self._launches()
        job = {"source": self._source.text, "launches": launches}
        outcome = self._processes.run("compile", job, self._settings)
        self._evidence.tier = "gpu" if on_gpu(self._settings) else _TIER
        self._evidence.resources = tuple(Resources(**found) for found in outcome.reply.get("resources", []))
        self._evidence.notes += [f"passed over by a tuner: {text}" for text in outcome.reply.get("passed_over", [])]
        if outcome.failed:
            known = outcome.failed in ("timeout", "out_of_memory")
            raise Decided(outcome.failed if known else "compile_error", f"while compiling: {outcome.error}")

    def _launches(self) -> list[Tree]:
        """What is compiled: all that is run for every target, further configurations of tuned kernels for the first."""
        run = [trace for traces in self._traces.values() for trace in traces]
        targets = list(self._settings.targets)
        launches = replaying.distinct_launches(run, self._source, targets, self._tuned)
        known = [launch | {"targets": []} for launch in launches]
        more = replaying.distinct_launches(self._tried, self._source, targets[:1], self._tuned)
        return launches + [launch for launch in more if launch | {"targets": []} not in known]

    def _note_tuning(self, found: dict[str, Tree]) -> None:
        self._tried = [read(tree) for tree in found.get("compiled", [])]
        self._tuned = set(map(str, found.get("tuned", [])))
        count, tried = found.get("configurations", 0), found.get("tried", 0)
        if isinstance(count, int) and isinstance(tried, int) and tried < count:
            self._evidence.notes.append(f"{tried} of {count} configurations of its tuned kernels were compiled")

    def _replay(self) -> float:
        run = replaying.Replaying(
            self._reference, self._traces, self._source, self._kernels, self._settings, self._processes
        )
        worst = run.check()
        self._evidence.notes += run.notes
        self._evidence.shape_general = run.general.get("shape")
        self._evidence.layout_general = run.general.get("layout")
        if self._settings.time and on_gpu(self._settings):
            self._time(run)
        return worst

    def _time(self, run: replaying.Replaying) -> None:
        timing = {
            "reference": self._reference_code,
            "entry": self._reference_name,
            "init": self._reference["init"],
            "arguments": self._reference["sets"][0]["inputs"],
        }
        times, floor = run.times(timing)
        kernel, best = times["kernel"], min(times["eager"], times["compiled"])
        if kernel[0] < floor:
            raise Decided(
                "hack:impossible_speed", f"{kernel[0]:.4f} ms, but reading the inputs alone takes {floor:.4f} ms"
            )
        self._evidence.kernel_ms, self._evidence.ref_ms = (kernel[0], kernel[1], kernel[2]), (best[0], best[1], best[2])
        self._evidence.speedup = best[0] / kernel[0]

    def _verdict(self, verdict: str, error: str, max_error: float | None) -> Verdict:
        found = self._evidence
        return Verdict(
            verdict=verdict,
            error=error,
            max_error=max_error,
            tier=found.tier,
            kernels=found.kernels,
            resources=found.resources,
            notes=tuple(found.notes),
            seconds=found.seconds,
            shape_general=found.shape_general,
            layout_general=found.layout_general,
            speedup=found.speedup,
            ref_ms=found.ref_ms,
            kernel_ms=found.kernel_ms,
            fingerprint=fingerprint(self._settings),
        )

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._evidence.seconds[step] = round(time.monotonic() - started, 3)


def _candidate_failure(outcome: Outcome) -> str:
    """The verdict for a record process that gave no traces."""
    verdicts = {
        "died": "runtime_error",
        "exited": "hack:exit",
        "forged": "hack:forged_result",
        "internal": "runtime_error",
    }
    return verdicts.get(outcome.failed, outcome.failed)


@cache
def _shared_processes() -> WarmPair:
    processes = WarmPair()
    atexit.register(processes.close)
    return processes
