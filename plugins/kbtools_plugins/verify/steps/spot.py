"""The look at larger sizes that a pair gets whose sizes were cut: what was right may be wrong where more is asked for.

The candidate is recorded at the sizes that were asked for, or at the largest of the same structure that can be. Where
one launch makes the outputs, a few of its programs run on inputs of that size, and what these store is compared with
the reference; where more do, or programs work together, all run, at a smaller size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.compiling import COMPILE, CompileReply
from kbtools_plugins.verify.protocol.match import Difference
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.operators import ALLOWED, base_name, is_allocation
from kbtools_plugins.verify.protocol.outputs import flatten, mixed
from kbtools_plugins.verify.protocol.reading import KernelSource, ReadReply, ShrinkJob, ShrinkReply
from kbtools_plugins.verify.protocol.recording import RECORD, Plan, RecordJob
from kbtools_plugins.verify.protocol.reference import REFERENCE, ReferenceJob, ReferenceReply
from kbtools_plugins.verify.protocol.replaying import FEW, RunResult, some_programs
from kbtools_plugins.verify.protocol.source import Binding
from kbtools_plugins.verify.protocol.trace import Trace, live_steps
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.steps import read, record, trace_rules
from kbtools_plugins.verify.steps.compile import Compiled, compile_job
from kbtools_plugins.verify.steps.far import WHERE, FarCheck, Launches
from kbtools_plugins.verify.steps.reference import work_of
from kbtools_plugins.verify.steps.replay import Replays
from kbtools_plugins.verify.steps.runs import Run, programs
from kbtools_plugins.verify.steps.structure import sound_cut
from kbtools_plugins.verify.steps.trace_rules import Decided

_MOST_ELEMENTS, _MOST_OF_ALL = 2**23, 2**21
"""Of inputs, parameters and outputs where a few programs run, and where all do."""
_AFFORDABLE = 5 * 10**8
"""Instructions times threads that all programs may take, to see whether each element of an output is stored."""
_WHERE = "at larger sizes "
_NO_FAULT = ("timeout", "out_of_memory")


class NotLooked(Exception):
    """Nothing can be said of larger sizes; the text is why."""


@dataclass(frozen=True)
class Larger:
    """A pair at larger sizes."""

    sizes: ShrinkReply
    reference: ReferenceReply
    trace: Trace
    source: KernelSource


class SpotCheck:
    """Of one pair that has passed at smaller sizes."""

    def __init__(
        self,
        pair: ReadReply,
        known: ReferenceReply,
        judged: Launches,
        seeds: tuple[list[int], list[int]],
        settings: VerifySettings,
        processes: PairProcesses,
    ) -> None:
        self._pair = pair
        self._known = known
        self._judged = judged
        self._alone = is_made_by_one_launch(judged.trace)
        self._whole = False
        self._seeds = seeds
        self._settings = settings
        self._processes = processes

    def notes(self) -> Iterator[str]:
        """What was looked at; Decided if it is wrong."""
        yield self._note()
        if not self._whole:
            yield FarCheck(self._pair, self._judged, self._seeds[0][0], self._settings, self._processes).note()

    def _note(self) -> str:
        try:
            return self._look()
        except NotLooked as error:
            return f"larger sizes were not looked at: {error}"
        except Decided as decided:
            if decided.verdict in _NO_FAULT:
                return f"larger sizes were not looked at: {decided.verdict}"
            raise

    def _look(self) -> str:
        found = self._larger()
        compiled, features = self._compiled(found)
        if self._alone and works_together(compiled):
            self._alone = False
            found = self._larger()
            compiled, features = self._compiled(found)
        kernels = trace_rules.launched(found.trace, found.source)
        traces = {"main": [found.trace] * 3}
        replays = Replays(found.reference, traces, compiled, kernels, features, self._settings, self._processes)
        run = Run(found.trace, found.reference.sets[0], what=_WHERE, programs=self._chosen(found.trace))
        some, total = len(run.programs), programs(found.trace)
        if some:
            taken = self._compare(replays, run)
            run = replace(run, programs=())
        if not some or taken * total <= _AFFORDABLE * some:
            self._compare(replays, run)
            some = total
        self._whole = found.sizes.cut.values == found.sizes.asked
        return f"{some} of {total} programs agree at {asked(found.sizes)}"

    def _compare(self, replays: Replays, run: Run) -> int:
        """How many instructions a run took; Decided if what its programs have stored is wrong."""
        result = replays.look(run)
        if run.programs:
            if any(run.expected.after) or run.expected.state:
                raise NotLooked("the reference updates an input or a buffer")
            result = with_the_rest(result, run.expected.plain)
        different = replays.compared(run, result)
        if isinstance(different, Difference):
            raise Decided(different.verdict, different.text, different.max_error)
        return result.instructions

    def _chosen(self, trace: Trace) -> tuple[int, ...]:
        """The first and the last program and some that nobody knows before; none if all run."""
        total = programs(trace)
        return some_programs(total, self._seeds[0][0]) if self._alone and total > FEW else ()

    def _larger(self) -> Larger:
        most = _MOST_ELEMENTS if self._alone else _MOST_OF_ALL
        job = ShrinkJob(
            reference=self._pair.reference,
            entry=self._pair.reference_name,
            candidate=self._pair.candidate,
            most_elements=most,
        )
        sizes = sound_cut(self._processes, job, self._pair.name, most, whole=True)
        if sizes is None:
            raise NotLooked(f"none of up to {most:,} elements have the same structure")
        reference = self._run_reference(sizes, most)
        trace, bindings = self._recorded(sizes, reference)
        source = read.kernels(self._processes, sizes.cut.candidate, bindings)
        settings = self._settings
        trace_rules.require_work(
            trace, source, settings.allow, work_of(self._known), strict=settings.strict_fallback, where=_WHERE
        )
        return Larger(sizes, reference, trace, source)

    def _run_reference(self, sizes: ShrinkReply, most: int) -> ReferenceReply:
        job = ReferenceJob(
            code=sizes.cut.reference,
            entry=self._pair.reference_name,
            seeds=self._seeds[0][:1],
            decoy_seeds=self._seeds[1][:1],
            most_elements=most,
            floor=False,
            mode=self._known.main,
        )
        outcome = self._processes.run(REFERENCE, job)
        if outcome.failed:
            raise NotLooked(f"the reference fails there: {outcome.failed}")
        return outcome.known()

    def _recorded(self, sizes: ShrinkReply, reference: ReferenceReply) -> tuple[Trace, list[Binding]]:
        plan = Plan(
            name="main", mode=reference.main, kept=list(reference.state), inputs=reference.decoys, required=True
        )
        job = RecordJob(
            code=sizes.cut.candidate,
            entry=self._pair.name,
            init=reference.init,
            state=reference.state,
            weights={},
            allow=list(self._settings.allow),
            card=0,
            plans=[plan],
            watch=False,
        )
        outcome = self._processes.run(RECORD, job)
        if outcome.failed:
            raise Decided(record.verdict_of_failure(outcome), _WHERE + outcome.error)
        reply = outcome.known()
        traces = reply.plans["main"].traces if "main" in reply.plans else []
        if not traces:
            raise Decided("hack:forged_result", f"{_WHERE}no trace came back")
        return traces[-1], reply.bindings

    def _compiled(self, found: Larger) -> tuple[Compiled, frozenset[str]]:
        job = compile_job([found.trace], [], found.source, frozenset(), self._settings)
        outcome = self._processes.run(COMPILE, job)
        reply: CompileReply | None = outcome.reply
        if reply is None or reply.error:
            raise NotLooked(f"it does not compile there: {(reply.error if reply else outcome.error)[-200:]}")
        return Compiled(found.source, job.launches, reply.programs), frozenset(reply.features)


def is_made_by_one_launch(trace: Trace) -> bool:
    """Whether one launch stores all outputs, and torch only looks at them behind it."""
    steps = live_steps(trace)
    launches = [number for number, step in enumerate(steps) if step.kernel]
    behind = steps[launches[0] + 1 :] if len(launches) == 1 else []
    views = ALLOWED["view"][1]
    only_views = all(is_allocation(step.operator) or base_name(step.operator) in views for step in behind)
    return len(launches) == 1 and only_views


def works_together(compiled: Compiled) -> bool:
    """Whether programs may use what others store."""
    return any(re.search(r"\b(atom|red)\.", program.text) for program in compiled.runnable)


def with_the_rest(result: RunResult, plain: Tree) -> RunResult:
    """The outputs with what the reference has wherever no program has stored; those of another form as they are."""
    (form, tensors), (wanted, others) = flatten(result.outputs), flatten(plain)
    if form != wanted or not len(result.stored) == len(tensors) == len(others):
        return result
    stored = iter(result.stored)  # in the order of the candidate's own outputs: keys may be in another one

    def filled(tree: Tree, true: Tree) -> Tree:
        if not isinstance(tree, dict):
            return tree
        if "tensor" in tree:
            return _filled(tree, Tensor.read(true), next(stored))
        ((kind, body),), ((_, other),) = tree.items(), true.items()
        if kind == "dict":
            named = {repr(key): value for key, value in other}
            return {kind: [[key, filled(value, named[repr(key)])] for key, value in body]}
        return {kind: [filled(*both) for both in zip(body, other, strict=True)]} if isinstance(body, list) else tree

    return result.model_copy(update={"outputs": filled(result.outputs, plain)})


def _filled(tree: dict[str, Tree], true: Tensor, stored: bytes) -> Tree:
    tensor = Tensor.read(tree)
    if (tensor.dtype, tensor.shape) != (true.dtype, true.shape):
        return tree
    mask = np.unpackbits(np.frombuffer(stored, np.uint8), count=int(np.prod(tensor.shape))).astype(bool)
    return tree | {"tensor": mixed(tensor.tensor, true.tensor, mask)}


def asked(sizes: ShrinkReply) -> str:
    """The sizes in words."""
    cut = {name: value for name, value in sizes.cut.values.items() if value != sizes.asked[name]}
    if not cut:
        return WHERE.removeprefix("at ")
    return ", ".join(f"{name}={value}" for name, value in cut.items())
