"""The stage `to-preferences`: chosen and rejected answers to the same prompt, from verified rollouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

import kbtools as kb
from kbtools.data.conversations.messages import Message
from kbtools_plugins.conversations import ReasoningForm
from kbtools_plugins.training.candidates import Candidate, Columns, by_task, candidates, gathered
from kbtools_plugins.training.pairs import messages_feature, paired
from kbtools_plugins.training.several_turns import first_tries, has_turns, last_tries, repaired_rows

if TYPE_CHECKING:
    from datasets import Dataset, Features

PairKind = Literal["pass-fail", "fast-slow", "repaired"]


@dataclass(frozen=True)
class PreferencePair:
    """One preference: the better and the worse answer to a prompt."""

    kind: PairKind
    chosen: Candidate
    rejected: Candidate


class ToPreferences(kb.Stage):
    """Make preference pairs (`prompt`, `chosen`, `rejected`, as TRL's DPO takes them) from rollouts with verdicts.

    `pass-fail` pairs a right answer with a wrong one, `fast-slow` two right ones whose measured times do not overlap,
    `repaired` the right last answer of several turns with the first try; in the other kinds such rows count by their
    first try. Both answers are to the very same prompt, and an answer is in one pair of a kind at most:

        kbtools apply verify to-preferences --per-task 2 --dataset rollouts.jsonl
    """

    name: ClassVar[str] = "to-preferences"
    suffix: ClassVar[str] = "preferences"
    scope: ClassVar[kb.stage.Scope] = "split"

    kinds: tuple[PairKind, ...] = ("pass-fail", "fast-slow", "repaired")
    """Kinds of pairs that are made."""
    per: str = "module_name"
    """Column whose equal values are answers to one task."""
    per_task: int = Field(4, ge=1)
    """Pairs of each kind that a task may give."""
    longest_ratio: float = Field(3.0, ge=1)
    """Longest of the two answers as a multiple of the shorter; other pairs teach length rather than quality."""
    passed: str = ""
    """Column that says which rows are right (verdicts, true and false, or numbers); `verdict`, or else the reward."""
    threshold: float = 0.0
    """Numbers above this are right."""
    reasoning: ReasoningForm = "think"
    """Where reasoning goes: into the content as <think> text, into a field of that name, or nowhere."""

    def output_features(self, features: Features) -> Features:
        """The columns of a pair: `prompt`, `chosen`, `rejected`, and where both come from."""
        import datasets

        self._places(features)
        text, number = datasets.Value("string"), datasets.Value("float64")
        messages = messages_feature(self.reasoning)
        return datasets.Features(
            {
                **dict.fromkeys(("prompt", "chosen", "rejected"), messages),
                "module_name": text,
                "pair_kind": text,
                **dict.fromkeys(("chosen_verdict", "rejected_verdict"), text),
                **dict.fromkeys(("chosen_reward", "rejected_reward"), number),
                **dict.fromkeys(("chosen_row", "rejected_row"), datasets.Value("int64")),
            }
        )

    def transform(self, ds: Dataset) -> kb.Result:
        """Pair the rows of each task, then fetch their messages."""
        places = self._places(ds.features)
        first = first_tries(self, ds, places.completion)
        found = candidates(first, places, self.threshold, self.columns)
        pairs = [pair for group in by_task(found) for pair in self._pairs(group)]
        last = last_tries(self, ds, places.completion)
        if "repaired" in self.kinds and has_turns(ds.features, places.completion):
            ends = candidates(last, places, self.threshold, self.columns)
            pairs += self._repaired(repaired_rows(ds), found, ends)
        used = {candidate.row for pair in pairs for candidate in (pair.chosen, pair.rejected)}
        rows = {name: [getattr(pair, name).row for pair in pairs] for name in ("chosen", "rejected")}
        columns: dict[str, Sequence[Any]] = {
            "prompt": gathered(self, ds, places.prompt, rows["chosen"], "user", self.reasoning),
            "chosen": self._chosen(first, last, places.completion, pairs),
            "rejected": gathered(self, first, places.completion, rows["rejected"], "assistant", self.reasoning),
            "module_name": [pair.chosen.task[0] for pair in pairs],
            "pair_kind": [pair.kind for pair in pairs],
            **{f"{name}_verdict": [getattr(pair, name).kind for pair in pairs] for name in rows},
            **{f"{name}_reward": [getattr(pair, name).reward for pair in pairs] for name in rows},
            **{f"{name}_row": rows[name] for name in rows},
        }
        return paired(self, ds, columns, used, self._facts(pairs))

    def _chosen(self, first: Dataset, last: Dataset, path: str, pairs: Sequence[PreferencePair]) -> list[list[Message]]:
        """The chosen messages: of repaired answers the last turn, of the others the first."""
        sources = {True: last, False: first}
        found = {
            repaired: iter(
                gathered(
                    self,
                    source,
                    path,
                    [pair.chosen.row for pair in pairs if (pair.kind == "repaired") is repaired],
                    "assistant",
                    self.reasoning,
                )
            )
            for repaired, source in sources.items()
        }
        return [next(found[pair.kind == "repaired"]) for pair in pairs]

    def _places(self, features: Features) -> Columns:
        return Columns.of(features, self.columns, self.per, self.passed)

    def _pairs(self, group: list[Candidate]) -> Iterator[PreferencePair]:
        """The pairs of one task, the most different rewards first; each answer at most once in each kind."""
        makers = {"pass-fail": self._pass_fail, "fast-slow": self._fast_slow}
        for kind, maker in makers.items():
            if kind in self.kinds:
                yield from islice(maker(group), self.per_task)

    def _repaired(
        self, rows: Sequence[int], first: Sequence[Candidate], last: Sequence[Candidate]
    ) -> Iterator[PreferencePair]:
        """The right last answer and the wrong first one of these rows."""
        tries, ends = ({candidate.row: candidate for candidate in found} for found in (first, last))
        made: Counter[tuple[str, str]] = Counter()
        for row in rows:
            wrong, right = tries.get(row), ends.get(row)
            if wrong is None or right is None or wrong.passed or not right.passed or wrong.code == right.code:
                continue
            if made[right.task] < self.per_task and self._alike(right, wrong):
                made[right.task] += 1
                yield PreferencePair("repaired", right, wrong)

    def _pass_fail(self, group: list[Candidate]) -> Iterator[PreferencePair]:
        free = _varied([candidate for candidate in group if not candidate.passed])
        for chosen in group:
            rejected = next((one for one in free if self._alike(chosen, one)), None) if chosen.passed else None
            if rejected:
                free.remove(rejected)
                yield PreferencePair("pass-fail", chosen, rejected)

    def _fast_slow(self, group: list[Candidate]) -> Iterator[PreferencePair]:
        timed = [one for one in group if one.passed and one.fastest is not None and one.slowest is not None]
        free = sorted(timed, key=lambda it: (-(it.fastest or 0.0), it.row))
        for chosen in sorted(timed, key=lambda it: (it.slowest or 0.0, it.row)):
            if chosen not in free:
                continue
            rejected = next((one for one in free if _faster(chosen, one) and self._alike(chosen, one)), None)
            if rejected:
                free.remove(rejected)
                free.remove(chosen)
                yield PreferencePair("fast-slow", chosen, rejected)

    def _alike(self, one: Candidate, other: Candidate) -> bool:
        shorter, longer = sorted((one.length, other.length))
        return longer <= self.longest_ratio * shorter

    def _facts(self, pairs: Sequence[PreferencePair]) -> dict[str, Any]:
        kinds = Counter(pair.kind for pair in pairs)
        longer = sum(pair.chosen.length > pair.rejected.length for pair in pairs)
        failures = Counter(pair.rejected.kind for pair in pairs if pair.kind == "pass-fail")
        return {
            "pairs": {**kinds},
            "rejected": {**failures},
            "share with the longer answer chosen": longer / len(pairs) if pairs else None,
        }


def _faster(one: Candidate, other: Candidate) -> bool:
    """Whether the intervals of both times do not overlap."""
    return one.slowest is not None and other.fastest is not None and one.slowest < other.fastest


def _varied(wrong: Sequence[Candidate]) -> list[Candidate]:
    """The wrong answers so that each kind of failure comes before any comes twice."""
    seen: Counter[str] = Counter()
    turns = []
    for candidate in wrong:
        turns.append((seen[candidate.kind], candidate))
        seen[candidate.kind] += 1
    return [candidate for _, candidate in sorted(turns, key=lambda it: it[0])]
