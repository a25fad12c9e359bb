"""The stage `to-repair`: a wrong answer, what the checker said of it, and a right answer to the same prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, JsonValue

import kbtools as kb
from kbtools.data.conversations.messages import Message
from kbtools.data.table import column
from kbtools_plugins.conversations import ReasoningForm
from kbtools_plugins.feedback import finding, message
from kbtools_plugins.training.candidates import Candidate, Columns, by_task, candidates, gathered
from kbtools_plugins.training.pairs import messages_feature, paired
from kbtools_plugins.training.several_turns import first_tries, has_turns, last_tries, repaired_rows

if TYPE_CHECKING:
    from datasets import Dataset, Features


@dataclass(frozen=True)
class Repair:
    """A wrong answer and the right one that takes its place."""

    wrong: Candidate
    right: Candidate


class ToRepair(kb.Stage):
    """Make repair turns: a wrong answer and the feedback in the prompt, a right answer as the completion.

    The feedback is a versioned prompt that sees the verdict and its finding, never the reference or values of its
    outputs. A conversation that came to a right answer in several turns is a repair as it is:

        kbtools apply verify to-repair --per-task 2 --dataset rollouts.jsonl
    """

    name: ClassVar[str] = "to-repair"
    suffix: ClassVar[str] = "repair"
    scope: ClassVar[kb.stage.Scope] = "split"

    feedback: str = "feedback"
    """Versioned prompt of the user's message that follows the wrong answer."""
    per: str = "module_name"
    """Column whose equal values are answers to one task."""
    per_task: int = Field(4, ge=1)
    """Repairs that a task may give."""
    passed: str = ""
    """Column that says which rows are right (verdicts, true and false, or numbers); `verdict`, or else the reward."""
    threshold: float = 0.0
    """Numbers above this are right."""
    error: str = "error"
    """Column of text with what was found wrong; rows without such a text are told the verdict alone."""
    reasoning: ReasoningForm = "think"
    """Where reasoning of the right answer goes; the wrong answer is shown without its reasoning."""

    def prompts(self) -> Mapping[str, str]:
        """The text of the feedback."""
        prompt = kb.prompt(self.feedback)
        return {prompt.spec: prompt.text}

    def output_features(self, features: Features) -> Features:
        """`prompt` and `completion` as lists of messages, and where both answers come from."""
        import datasets

        self._places(features)
        if self.error in features:
            kb.Schema(features, self.columns).require(self.error, "text")
        text = datasets.Value("string")
        return datasets.Features(
            {
                **dict.fromkeys(("prompt", "completion"), messages_feature(self.reasoning)),
                **dict.fromkeys(("module_name", "wrong_verdict"), text),
                "reward": datasets.Value("float64"),
                **dict.fromkeys(("wrong_row", "right_row"), datasets.Value("int64")),
            }
        )

    def transform(self, ds: Dataset) -> kb.Result:
        """Take the repairs that conversations are, or choose those of each task, and write them."""
        places = self._places(ds.features)
        if has_turns(ds.features, places.completion):
            return self._of_turns(ds, places)
        found = candidates(ds, places, self.threshold, self.columns)
        repairs = [repair for group in by_task(found) for repair in self._repairs(group)]
        wrong, right = [repair.wrong.row for repair in repairs], [repair.right.row for repair in repairs]
        prompts = gathered(self, ds, places.prompt, wrong, "user", self.reasoning)
        answers = gathered(self, ds, places.completion, wrong, "assistant", "drop")
        before = [
            [*prompt, *answer, self._feedback(repair, error)]
            for prompt, answer, repair, error in zip(prompts, answers, repairs, self._errors(ds, wrong), strict=True)
        ]
        after = gathered(self, ds, places.completion, right, "assistant", self.reasoning)
        return self._written(ds, repairs, before, after)

    def _of_turns(self, ds: Dataset, places: Columns) -> kb.Result:
        """What was asked, said and found before the right answer, as it was, and that answer."""
        tries, ends = (
            {one.row: one for one in candidates(some(self, ds, places.completion), places, 0.0, self.columns)}
            for some in (first_tries, last_tries)
        )
        whole = [Repair(tries[row], ends[row]) for row in repaired_rows(ds) if row in tries and row in ends]
        repairs = list(self._limited(whole))
        rows = [repair.right.row for repair in repairs]
        prompts = gathered(self, ds, places.prompt, rows, "user", self.reasoning)
        shown = gathered(self, ds, places.completion, rows, "assistant", "drop")
        said = gathered(self, ds, places.completion, rows, "assistant", self.reasoning)
        before = [[*prompt, *turns[:-1]] for prompt, turns in zip(prompts, shown, strict=True)]
        return self._written(ds, repairs, before, [turns[-1:] for turns in said])

    def _limited(self, repairs: Sequence[Repair]) -> Iterator[Repair]:
        """As many repairs as a task may give."""
        made: Counter[tuple[str, str]] = Counter()
        for repair in repairs:
            made[repair.right.task] += 1
            if made[repair.right.task] <= self.per_task:
                yield repair

    def _written(
        self, ds: Dataset, repairs: Sequence[Repair], before: Sequence[list[Message]], after: Sequence[list[Message]]
    ) -> kb.Result:
        wrong, right = [repair.wrong.row for repair in repairs], [repair.right.row for repair in repairs]
        columns: dict[str, Sequence[object]] = {
            "prompt": before,
            "completion": after,
            "module_name": [repair.wrong.task[0] for repair in repairs],
            "wrong_verdict": [repair.wrong.kind for repair in repairs],
            "reward": [repair.right.reward for repair in repairs],
            "wrong_row": wrong,
            "right_row": right,
        }
        facts: dict[str, JsonValue] = {"repaired": {**Counter(repair.wrong.kind for repair in repairs)}}
        return paired(self, ds, columns, {*wrong, *right}, facts)

    def _places(self, features: Features) -> Columns:
        return Columns.of(features, self.columns, self.per, self.passed)

    def _repairs(self, group: list[Candidate]) -> Iterator[Repair]:
        """Each wrong answer with the right one that is nearest to it in length, right answers taking turns."""
        right = [candidate for candidate in group if candidate.passed]
        used: Counter[int] = Counter()
        for wrong in [candidate for candidate in group if not candidate.passed][: self.per_task] if right else []:
            chosen = min(right, key=lambda it: (used[it.row], abs(it.length - wrong.length), it.row))
            used[chosen.row] += 1
            yield Repair(wrong, chosen)

    def _errors(self, ds: Dataset, rows: Sequence[int]) -> list[str]:
        if self.error not in ds.features:
            return [""] * len(rows)
        texts = column(ds, self.error)
        return [texts[row].as_py() or "" for row in rows]

    def _feedback(self, repair: Repair, error: str) -> Message:
        kind = repair.wrong.kind
        return message(kb.prompt(self.feedback), kind, finding(kind, error))
