"""One rollout as a conversation: what was asked, said and found, and from that what comes next.

A dialogue only ever follows from stored replies and assessments, so that it is the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from kbtools.data.conversations import reasoning
from kbtools.data.conversations.fields import merged
from kbtools.data.conversations.messages import Message
from kbtools.feedback import Assessment, Attempt
from kbtools.llm import RowFailure, RowInputs
from kbtools.llm.parts import RowValues
from kbtools.models.kinds import ReplyFailure
from kbtools.models.reply import Reply
from kbtools.models.request import Message as Sent
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore, chunks

NO_ANSWER = "no_answer"
"""Verdict on a reply from which no answer can be taken, with the kind of its fault."""


class Status(Enum):
    """What a dialogue waits for."""

    IDLE = auto()
    """Not begun: its module has enough right answers under way."""
    ASKS = auto()
    """For a look at whether its request has a stored reply."""
    UNANSWERED = auto()
    """For the reply to its request, which is not stored, or failed."""
    CHECKS = auto()
    """For a look at whether its last answer has been assessed."""
    UNCHECKED = auto()
    """For the assessment."""
    OVER = auto()


@dataclass(frozen=True)
class ModelTurn:
    """What the model said in one turn."""

    said: Message
    attempt: Attempt
    milliseconds: float
    fault: Assessment | None = None
    """The assessment of a reply without an answer, which needs no check."""


@dataclass
class Dialogue:
    """A rollout on its way; `tell` makes the message that follows a wrong answer."""

    inputs: RowInputs
    request: Request | None
    """Of the turn that is next, or was last."""
    tell: Callable[[Assessment], Message]
    most_turns: int
    fault: RowFailure | None = None
    """Why there is no result: nothing could be asked, or the last call failed."""
    status: Status = Status.IDLE
    opening: tuple[Sent, ...] = ()
    completion: list[Message] = field(default_factory=list)
    turns: list[ModelTurn] = field(default_factory=list)
    found: list[Assessment] = field(default_factory=list)
    hidden: bool = False
    """Whether some of its reasoning is encrypted or redacted."""

    @property
    def passed(self) -> bool:
        """Whether its last answer is right."""
        return bool(self.found) and self.found[-1].passed is True

    @property
    def under_way(self) -> bool:
        """Whether it may still come to a right answer in this run."""
        return self.status is not Status.OVER and self.fault is None

    def start(self) -> None:
        """Begin, if there is anything to ask."""
        self.status = Status.OVER if self.request is None else Status.ASKS
        self.opening = self.request.messages if self.request else ()

    def hear(self, reply: Reply | None, since: float, tag: reasoning.TagRule) -> None:
        """Go on from the stored reply to the present request; a failure from before `since` counts as no reply."""
        self.status = Status.UNANSWERED
        if reply is None:
            return
        failure = reply.reading().failure if reply.ok else ReplyFailure(reply.kind, reply.error)
        if failure is not None:
            if reply.stored >= since:
                self.fault = RowFailure(failure.kind.value, f"in turn {len(self.turns) + 1}: {failure.error}")
            return
        turn = _turn(self.inputs, reply, tag)
        self.turns.append(turn)
        self.hidden = self.hidden or reply.reading().hidden
        self.completion.append(turn.said)
        self.status = Status.CHECKS
        if turn.fault is not None:
            self.learn(turn.fault)

    def learn(self, assessment: Assessment | None) -> None:
        """Go on from what was found of the last answer."""
        if assessment is None:
            self.status = Status.UNCHECKED
            return
        self.found.append(assessment)
        if assessment.passed is not False or len(self.turns) == self.most_turns:
            self.status = Status.OVER
            return
        said, message = self.turns[-1].said, self.tell(assessment)
        self.completion.append(message)
        before = self.request
        assert before is not None, "an answer without a request"
        turns = (Sent("assistant", said["content"]), Sent("user", message["content"]))
        self.request = Request(before.terms, (*before.messages, *turns), before.sample, follows=before.key)
        self.status = Status.ASKS

    def values(self) -> RowValues | RowFailure:
        """What the row of the result holds, or why there is none."""
        if self.fault is not None:
            return self.fault
        if self.status is Status.UNCHECKED:
            return RowFailure("not-checked", f"the check of the answer in turn {len(self.turns)} failed itself")
        if self.status is not Status.OVER:
            return RowFailure("missing", "no reply is stored")
        last = self.found[-1]
        return {
            "prompt": [sent._asdict() for sent in self.opening],
            "completion": self.completion,
            "generation_ms": sum(turn.milliseconds for turn in self.turns),
            "num_turns": float(len(self.turns)),
            "reward": last.reward,
            "verdict": last.verdict,
            "error": last.finding,
            "passed_turn": len(self.turns) if self.passed else None,
            "turn_verdicts": [found.verdict for found in self.found],
            "turn_rewards": [found.reward for found in self.found],
        }


def said_by(reply: Reply, tag: reasoning.TagRule) -> Message:
    """The assistant's message of a usable reply, its reasoning apart; ReasoningError where it holds no answer."""
    reading = reply.reading()
    parsed = reasoning.parse(reading.text or "", reasoning.Rules(tag=tag))
    return {
        "role": "assistant",
        "content": parsed.content,
        "reasoning": merged([reading.reasoning, parsed.reasoning]),
    }


def hidden_reasoning(requests: Iterable[Request], store: ResponseStore) -> int:
    """Usable replies some of whose reasoning is encrypted or redacted, so that no rollout can keep it."""
    return sum(
        reply.ok and reply.reading().hidden
        for some in chunks(requests, 500)
        for reply in store.replies({request.key for request in some}).values()
    )


def _turn(inputs: RowInputs, reply: Reply, tag: reasoning.TagRule) -> ModelTurn:
    fault = None
    try:
        said = said_by(reply, tag)
    except reasoning.ReasoningError as error:
        reading = reply.reading()
        said = {"role": "assistant", "content": reading.text or "", "reasoning": reading.reasoning}
        told = f"no answer can be taken from the reply: {error}"
        fault = Assessment(verdict=f"{NO_ANSWER}:{error.kind}", passed=False, reward=0.0, finding=told)
    attempt = Attempt(
        module_name=inputs["module_name"] or "",
        reference_code=inputs["reference_code"] or "",
        answer=said["content"],
    )
    return ModelTurn(said, attempt, reply.seconds * 1000, fault)
