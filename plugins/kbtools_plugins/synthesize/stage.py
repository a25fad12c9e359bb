"""The stage `synthesize`: modules become rollouts in the evals layout, by a model that is asked to write the kernel.

The reasoning goes into its own field and the answer into the content. Of one turn the reward is null until `verify` has
looked; with `--feedback` every answer is checked at once, and a wrong one is followed by what was found.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, JsonValue, PrivateAttr, ValidationError

import kbtools as kb
from kbtools.data import texts
from kbtools.data.columns import evals_features
from kbtools.data.conversations import reasoning
from kbtools.data.conversations.messages import Message
from kbtools.data.table import keep, rows_text
from kbtools.errors import UsageError, explain
from kbtools.feedback import Assessment, Feedback
from kbtools.llm import (
    REPEAT,
    Further,
    RowFailure,
    RowInputs,
    TextGenerationStage,
    found_paths,
    refuse_failures,
    refuse_nulls,
    row_inputs,
)
from kbtools.llm.assessments import Assessments
from kbtools.llm.model_stage import NOTHING_SPENT
from kbtools.llm.parts import RowValues
from kbtools.llm.row_requests import first_requests, repeated
from kbtools.models.engine.run import RequestPlan, plan_requests
from kbtools.models.options import Spend
from kbtools.models.request import Request
from kbtools.models.settled import ParsedReply
from kbtools.models.store import ResponseStore
from kbtools.prompts import Prompt
from kbtools_plugins.feedback import message
from kbtools_plugins.synthesize.columns import class_name, found_features, rollout_row
from kbtools_plugins.synthesize.dialogue import Dialogue, Status, hidden_reasoning, said_by
from kbtools_plugins.synthesize.replaying import Replaying
from kbtools_plugins.synthesize.rounds import Rounds, pending

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.calls import Chain
    from kbtools.models.backend import ModelBackend

_ENOUGH = "its module has enough right answers"


class Synthesize(TextGenerationStage):
    """Have a model write a Triton kernel for every module; the result is rollouts in the evals layout.

    With feedback the model is told what was wrong, and tries again, until the answer is right or the turns end:

        kbtools apply synthesize --turns 4 --feedback verify --rollouts 8 --enough 2 --model SPEC --dataset sample
    """

    name: ClassVar[str] = "synthesize"
    suffix: ClassVar[str] = "rollouts"
    scope: ClassVar[kb.stage.Scope] = "row"

    template: str = "triton-conversion"
    """Prompt that asks for the kernel."""
    tag: reasoning.TagRule = "required"
    """Whether a reply needs answer tags, which the prompt asks for; a prompt of your own may not."""
    rollouts: int = Field(1, ge=1)
    """Rollouts per module."""
    feedback: str = ""
    """What checks each answer, such as verify; see `kbtools plugins`."""
    feedback_options: dict[str, str] = {}
    """Options of the feedback, as NAME=VALUE, such as tier=ptx or workers=4 of verify."""
    feedback_prompt: str = "feedback"
    """Prompt of the message that follows a wrong answer."""
    turns: int = Field(1, ge=1)
    """Most answers of a rollout; more than one need --feedback."""
    enough: int = Field(0, ge=0)
    """Right answers of a module after which no further rollout of it is begun; 0 begins all."""

    _feedback: Feedback | None = PrivateAttr(default=None)
    _telling: Prompt | None = PrivateAttr(default=None)

    def model_post_init(self, context: object) -> None:
        """Read both prompts once, and the options of the feedback."""
        super().model_post_init(context)
        if not self.feedback:
            if self.turns > 1 or self.enough or self.feedback_options:
                raise UsageError("--turns, --enough and --feedback-options need --feedback, such as --feedback verify.")
            return
        self._feedback = _made(self.feedback, self.feedback_options)
        self._telling = kb.prompt(self.feedback_prompt)

    def prompts(self) -> Mapping[str, str]:
        """The texts of both prompts."""
        told = {self._telling.spec: self._telling.text} if self._telling else {}
        return {**super().prompts(), **told}

    def config(self) -> dict[str, JsonValue]:
        """As of every stage that asks, with the versions of both prompts spelled out."""
        told = {"feedback_prompt": self.pinned(self.feedback_prompt)} if self.feedback else {}
        return {**super().config(), **told}

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """What can be wrong with the feedback, then all that a model can lack."""
        if self.enough > self.rollouts:
            raise UsageError(f"--enough {self.enough} of --rollouts {self.rollouts} can never be reached.")
        if self._feedback is not None:
            self._tell(Assessment(verdict="wrong_output", passed=False, reward=0.0))
            self._feedback.preflight()
        return super().preflight(before)

    def further(self) -> Further:
        """One row for each rollout."""
        return Further(times=self.rollouts)

    def main_column(self) -> str:
        """The conversation's answer."""
        return "completion"

    def paths(self, features: Features) -> dict[str, str]:
        """The reference code and the name of the class that it defines."""
        schema = kb.Schema(features, self.columns)
        found = found_paths(self, features, ("reference_code", "module_name"))
        more = {role: schema.find(role) for role in ("row_id", "triton_code") if schema.has(role)}
        return {**found, **more}

    def new_features(self, features: Features) -> Features:
        """The evals layout, in its exact order, and with feedback what was found in each turn."""
        return type(features)({**evals_features(), **(found_features() if self.feedback else {})})

    def requests(self, inputs: RowInputs, model: str) -> Sequence[Request]:
        """The first request of a rollout."""
        needed = {role: inputs[role] for role in ("reference_code", "module_name")}
        refuse_nulls(needed)
        needed["module_name"] = class_name(inputs["module_name"] or "", inputs["reference_code"] or "")
        return [self.question.about(needed, model, int(inputs.get(REPEAT) or 0))]

    def parse(self, inputs: RowInputs, replies: Sequence[ParsedReply]) -> RowValues:
        """The prompt that was sent, and the completion with its reasoning apart."""
        refuse_failures(replies)
        (settled,) = replies
        reply = settled.reply
        if reply is None:
            raise RowFailure("missing", "no reply is stored")
        try:
            turn = said_by(reply, self.tag)
        except reasoning.ReasoningError as error:
            raise RowFailure(error.kind, f"no answer can be taken from the reply: {error}") from error
        sent = [message._asdict() for message in settled.request.messages]
        return {"prompt": sent, "completion": [turn], "generation_ms": reply.seconds * 1000, "num_turns": 1.0}

    def ask(self, ds: Dataset, backend: ModelBackend, store: ResponseStore, spent: Spend = NOTHING_SPENT) -> Spend:
        """Bring all rollouts to their end; returns `spent` with what this took off the budget."""
        if self._feedback is None:
            return super().ask(ds, backend, store, spent)
        replaying = self._replaying(backend.model, store)
        return Rounds(replaying, lambda: row_inputs(self, ds), backend, self.options()).run(spent)

    def plan_calls(self, ds: Dataset, seen: Chain) -> tuple[RequestPlan, ...]:
        """What would be asked next, and how many calls can follow from the replies and what is found of them."""
        if self._feedback is None or ds.num_rows == 0:
            return super().plan_calls(ds, seen)
        ds = repeated(self, ds)
        with closing(self.backend()) as backend, ResponseStore(self.store) as store:
            replaying = replace(self._replaying(backend.model, store), since=time.time())
            plan = plan_requests(
                pending(replaying.dialogues(row_inputs(self, ds))),
                backend,
                store,
                self.options(),
                review=self.review(),
                seen=seen.of(store.path, self.review()),
            )
            left = sum(
                self.turns - len(dialogue.turns) - (dialogue.status is Status.UNANSWERED)
                for dialogue in replaying.dialogues(row_inputs(self, ds))
                if dialogue.status is not Status.OVER
            )
        plan.may_follow = left
        return (plan,)

    def outcomes(
        self, given: Iterable[RowInputs], model: str, store: ResponseStore
    ) -> Sequence[RowValues | RowFailure]:
        """The conversation of each rollout, or why there is none."""
        if self._feedback is None:
            return super().outcomes(given, model, store)
        every = replace(self._replaying(model, store), enough=0)
        return [dialogue.values() for dialogue in every.dialogues(given)]

    def replayed(self, ds: Dataset, model: str, store: ResponseStore) -> kb.Result:
        """The result of the rollouts that were begun; the others are left out."""
        if not self.enough:
            return super().replayed(ds, model, store)
        import numpy as np

        dialogues = self._replaying(model, store).dialogues(row_inputs(self, ds))
        begun = np.array([dialogue.status is not Status.IDLE for dialogue in dialogues], bool)
        done = super().replayed(keep(ds, begun, self.fingerprint(ds, f"begun {begun.tobytes().hex()}")), model, store)
        left_out = kb.Drop(keep(ds, ~begun, self.fingerprint(ds, f"not begun {begun.tobytes().hex()}")), _ENOUGH)
        return replace(done, dropped=(*done.dropped, left_out))

    def facts(self, ds: Dataset, done: Dataset, model: str, store: ResponseStore) -> dict[str, Any]:
        """How many rollouts were right after each turn, and how the others ended."""
        hidden = self._hidden(ds, model, store)
        counted = {"hidden_reasoning": hidden} if hidden else {}
        if not self.feedback:
            return counted
        passed = Counter(turn for turn in done["passed_turn"] if turn is not None)
        verdicts = Counter(verdict for verdict in done["verdict"] if verdict is not None)
        return {
            "passed in turn": {str(turn): passed[turn] for turn in sorted(passed)},
            "verdicts": {**dict(verdicts.most_common())},
            **counted,
        }

    def _hidden(self, ds: Dataset, model: str, store: ResponseStore) -> int:
        """Rollouts some of whose reasoning only the server can read."""
        given = row_inputs(self, ds)
        if not self.feedback:
            return hidden_reasoning(first_requests(self, given, model), store)
        return sum(dialogue.hidden for dialogue in replace(self._replaying(model, store), enough=0).dialogues(given))

    def notes(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """That reasoning could not be kept."""
        rows = rows_text(facts.get("hidden_reasoning", 0))
        told = f"{rows} with reasoning that is encrypted or redacted, which cannot be kept"
        return (told,) if facts.get("hidden_reasoning") else ()

    def to_table(self, table: pa.Table, values: Sequence[RowValues | None], features: Features) -> pa.Table:
        """Rows of the evals layout; what was not measured is null."""
        import datasets
        import pyarrow as pa

        paths = self.paths(datasets.Features.from_arrow_schema(table.schema))
        found = {role: texts.of_column(table, path) for role, path in paths.items()}
        rows = [
            rollout_row({role: column[index] for role, column in found.items()}, value or {})
            for index, value in enumerate(values)
        ]
        return pa.Table.from_pylist(rows, schema=features.arrow_schema)

    def _replaying(self, model: str, store: ResponseStore) -> Replaying:
        assert self._feedback is not None, "dialogues need feedback"
        assessments = Assessments(self._feedback, store)
        return Replaying(
            lambda inputs: self._opened(inputs, model), self.tag, store, assessments, self.rollouts, self.enough
        )

    def _opened(self, inputs: RowInputs, model: str) -> Dialogue:
        """A rollout before its first turn, or one that can have none."""
        try:
            (request,) = self.requests(inputs, model)
        except RowFailure as fault:
            return Dialogue(inputs, None, self._tell, self.turns, fault=fault)
        return Dialogue(inputs, request, self._tell, self.turns)

    def _tell(self, found: Assessment) -> Message:
        assert self._telling is not None, "a message without a prompt"
        return message(self._telling, found.verdict, found.finding)


def _made(name: str, options: Mapping[str, str]) -> Feedback:
    """The feedback of a name with these options, whose values are read from text."""
    cls = kb.plugins.registry().feedback(name)
    try:
        return cls.model_validate_strings(options)
    except ValidationError as error:
        raise UsageError(f"--feedback {name}: {explain(error, cls)}") from error
