"""Has a candidate recorded in several places: it has to do its work in each of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from kbtools_plugins.verify.host.child import Outcome
from kbtools_plugins.verify.host.pair_processes import PairProcesses
from kbtools_plugins.verify.protocol.compiling import PTX_TARGET
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.reading import Finding
from kbtools_plugins.verify.protocol.recording import RECORD, Plan, RecordJob, RecordReply
from kbtools_plugins.verify.protocol.reference import ReferenceReply
from kbtools_plugins.verify.protocol.source import Binding
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.steps import read, record
from kbtools_plugins.verify.steps.compile import targets
from kbtools_plugins.verify.steps.trace_rules import Decided

Recording = Callable[[], Outcome[RecordReply]]
"""Waits for what a process has recorded."""
_FIRST, _SECOND, _NOBODYS = 0, 1, 2
_MORE_CARDS = range(3, 10)
"""Numbers of cards in worker/cards.py."""
_CARDS_AT_A_TIME = 3
"""Which ones, nobody knows before: a candidate cannot list those that it is seen on."""


class RecordingPlaces:
    """The recordings of one candidate."""

    def __init__(
        self,
        processes: PairProcesses,
        code: str,
        entry: str,
        reference: ReferenceReply,
        findings: list[Finding],
        settings: VerifySettings,
    ) -> None:
        self._processes = processes
        self._target = _first_target(settings)
        self._reference = reference
        self._findings = findings
        self._job = RecordJob(
            code=code,
            entry=entry,
            init=reference.init,
            state=reference.state,
            weights=reference.sequence.weights if reference.sequence else {},
            allow=list(settings.allow),
            card=_FIRST,
            plans=[],
            watch=bool(findings) or "except" in code or "suppress" in code,
        )
        self.notes: list[str] = []
        self._bindings: list[Binding] = []

    def record(self) -> record.Recording:
        """All plans in the first place, the first forward in the second one, and on more cards if it asks for one."""
        elsewhere = self._processes.ahead(RECORD, self._first_forward(_SECOND, self._reference.decoy_state))
        first = self._job_for(list(record.plans(self._reference)), _FIRST)
        reply = self._judged(self._processes.run(RECORD, first))
        found = record.recording_of(reply)
        self._bindings = reply.bindings
        looks = read.executed([one for one in self._findings if one.looks], reply.ran)
        self.notes = [*found.notes, *read.remarks(self._findings, reply.ran), *_backward(self._job.code)]
        found.traces[record.ELSEWHERE] = list(self._elsewhere(elsewhere, found.traces["main"][0], looks))
        if reply.asked_for_card:
            found.traces[record.CARDS] = list(self._on_more_cards())
        return found

    def where_nobody_is(self) -> list[Trace]:
        """The first forward where torch has no CUDA and events take a millisecond."""
        return self._traces(self._processes.run(RECORD, self._first_forward(_NOBODYS)))

    def _elsewhere(self, recorded: Recording, here: Trace, looks: Finding | None) -> Iterator[Trace]:
        try:
            outcome = recorded()
            self.notes += record.failed_contexts(self._judged(outcome))
            traces = self._traces(outcome)
        except Decided as decided:
            if looks:
                raise Decided(looks.verdict, f"{looks.text}; in another place: {decided.error}") from None
            raise
        if looks and _work(traces[0]) != _work(here):
            raise Decided(looks.verdict, f"{looks.text}, and what it does differs from place to place")
        yield from traces

    def _on_more_cards(self) -> Iterator[Trace]:
        for card in _drawn_cards():
            try:
                yield self._traces(self._processes.run(RECORD, self._first_forward(card)))[0]
            except Decided as decided:  # it may refuse a card
                if decided.verdict == "unsupported:other_code":
                    raise
                self.notes.append(f"on the card with number {card} it fails: {decided.error}")

    def _first_forward(self, card: int, decoys: dict[str, Tensor] | None = None) -> RecordJob:
        return self._job_for([record.plan_elsewhere(self._reference)], card, decoys)

    def _traces(self, outcome: Outcome[RecordReply]) -> list[Trace]:
        reply = self._judged(outcome)
        if other := record.other_bindings(self._bindings, reply.bindings):
            raise Decided("unsupported:other_code", f"{other} in a kernel differs from place to place")
        return record.traces_elsewhere(reply)

    def _job_for(self, plans: list[Plan], card: int, decoys: dict[str, Tensor] | None = None) -> RecordJob:
        changes: dict[str, object] = {"plans": plans, "card": card, "state": self._reference.state | (decoys or {})}
        changes["target"] = self._target if card == _FIRST else None
        changes["doubts"] = record.plan_doubts(self._reference) if card == _FIRST else None
        return self._job.model_copy(update=changes)

    def _judged(self, outcome: Outcome[RecordReply]) -> RecordReply:
        """What a process of its own has recorded; Decided if the candidate fails or does what is forbidden."""
        ran = outcome.reply.ran if outcome.reply else outcome.ran
        if finding := read.executed([one for one in self._findings if not one.looks], ran):
            raise Decided(finding.verdict, finding.text)
        if outcome.failed:
            raise Decided(record.verdict_of_failure(outcome), outcome.error)
        return outcome.known()


def _backward(code: str) -> Iterator[str]:
    if "autograd.Function" in code and "def backward" in code:
        yield "only its forward is judged: what its backward gives was not looked at"


def _first_target(settings: VerifySettings) -> int:
    """What is compiled first, where that is NVIDIA's."""
    first = targets(settings)[0][0]
    return first if isinstance(first, int) else PTX_TARGET


def _work(trace: Trace) -> list[tuple[str, str, int]]:
    """What a forward does, without sizes that a card may decide."""
    return [(step.operator, step.kernel, step.line) for step in trace.steps]


def _drawn_cards() -> list[int]:
    return secrets.SystemRandom().sample(_MORE_CARDS, _CARDS_AT_A_TIME)
