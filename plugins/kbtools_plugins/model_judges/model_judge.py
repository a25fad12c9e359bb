"""The judge `model`: a language model rates every row by a rubric that is a versioned prompt.

The JSON schema in the rubric's front matter gives the columns. The same rubric can be asked as JSON, in tags, or as one
letter whose log probabilities give an expected score.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import JsonValue, PrivateAttr

import kbtools as kb
from kbtools.data.table import column, rows_text
from kbtools.judge import RAW, VerdictField, verdict_columns, verdict_counts
from kbtools.llm import Further, ModelStage, Question, RowInputs, found_paths, refuse_failures, refuse_nulls
from kbtools.llm.parts import RowValues
from kbtools.models.contract import Contract, JsonContract, TagContract
from kbtools.models.request import Request
from kbtools.models.settled import ParsedReply
from kbtools_plugins.model_judges import metamorphic
from kbtools_plugins.model_judges.letters import LetterContract, letter_score
from kbtools_plugins.model_judges.metamorphic import Trial

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.models.backend import Review
    from kbtools.models.reply import Reply
    from kbtools.models.store import ResponseStore

LEAST_MASS = 0.9
"""Probability that the letters must have together; below it, the score is asked for in words instead."""
LETTER_TOKENS = 4
TOP_LOGPROBS = 20


class ModelJudge(ModelStage, kb.Judge):
    """Rate every row by asking a language model, with a rubric that is a versioned prompt.

    The fields of the rubric's reply become columns, as difficulty and difficulty_reason.
    """

    scope: ClassVar[kb.stage.Scope] = "row"
    without_model: ClassVar[str] = "Without any model, `judge --judge static` rates code by its syntax."

    judge: Literal["model"] = "model"
    """Which judge."""
    rubric: str = "difficulty"
    """Rubric: difficulty, difficulty@v1, difficulty-score, style, difficulty-style, quality, or a prompt's path."""
    samples: int = 1
    """Replies per row: labels by majority, scores by mean, with their spread beside them."""
    expected: bool = False
    """Weigh a score from 0 to 10 by the log probabilities of one letter, where the server gives them."""
    form: Literal["json", "tags"] = "json"
    """How the reply is asked for; tags for models without schema support."""
    metamorphic: str = ""
    """Share of rows, such as 5%, that are judged again with changed code: how far do ratings follow mere looks?"""

    _prompt: kb.prompts.Prompt = PrivateAttr()
    _in_words: Question = PrivateAttr()
    _by_letter: Question = PrivateAttr()

    def model_post_init(self, context: object) -> None:
        """Read the rubric once: a file may change while the judge runs."""
        self._prompt = kb.prompt(self.rubric)
        schema = self.reply_schema()
        contract = TagContract(schema) if self.form == "tags" else JsonContract(schema)
        self._in_words = Question(self._prompt, self.sampling(self._prompt.front.model), contract)
        letter = {"max_tokens": LETTER_TOKENS, "logprobs": True, "top_logprobs": TOP_LOGPROBS}
        sampling = self._in_words.sampling.model_copy(update=letter)
        self._by_letter = Question(self._prompt, sampling, LetterContract())

    @property
    def prompt(self) -> kb.prompts.Prompt:
        """The rubric."""
        return self._prompt

    @property
    def in_words(self) -> Question:
        """The rubric's question."""
        return self._in_words

    @property
    def by_letter(self) -> Question:
        """The same, to be answered by one letter."""
        return self._by_letter

    def prompts(self) -> Mapping[str, str]:
        """The rubric's text."""
        return {self.prompt.spec: self.prompt.text}

    def config(self) -> dict[str, JsonValue]:
        """The fields, with the rubric's version and the model spelled out, so that a repeat asks the same."""
        return {**super().config(), "rubric": self.pinned(self.rubric)}

    def label(self) -> str:
        """The rubric's name."""
        return self.prompt.name.replace("-", "_")

    def reply_schema(self) -> dict[str, Any]:
        """The JSON schema of the reply; UsageError for a prompt that is not a rubric."""
        schema = self.prompt.front.reply
        if not schema:
            raise kb.errors.UsageError(f"prompt {self.rubric!r} has no schema of its reply, so it is not a rubric.")
        return schema

    def scores(self) -> dict[str, Any]:
        """The properties of the reply that hold a rating, as against the reasons."""
        return {name: kind for name, kind in self.reply_schema()["properties"].items() if not name.endswith("reason")}

    def main_column(self) -> str:
        """The first rating."""
        return self.prefix + next(iter(self.scores()))

    def fields(self) -> dict[str, VerdictField]:
        """The raw text and the properties of the reply; with several replies the spread, with letters their mass."""
        import datasets

        number = VerdictField(datasets.Value("float64"))
        fields = {RAW: VerdictField(datasets.Value("string"))}
        for name, kind in self.reply_schema()["properties"].items():
            rating = name in self.scores()
            if rating or not self.expected:  # one letter has no room for a reason
                fields[name] = field_of_schema(kind, averaged=rating and (self.samples > 1 or self.expected))
            if rating and self.samples > 1:
                fields[f"{name}_spread"] = number
            if rating and self.expected:
                fields[f"{name}_mass"] = number
        return fields

    def new_features(self, features: Features) -> Features:
        """The input's features and a column for each field."""
        self.check_fields()
        return self.with_verdict(features)

    def check_fields(self) -> None:
        """UsageError for fields that do not go together or with the rubric."""
        if self.samples < 1:
            raise kb.errors.UsageError(f"--samples {self.samples}: at least one reply per row is needed.")
        ratings = [kind.get("type") for kind in self.scores().values()]
        if self.expected and (ratings != ["integer"] or self.samples > 1):
            raise kb.errors.UsageError(
                f"--expected needs a rubric with one score from 0 to 10, and no --samples: {self.rubric!r} gives "
                f"{', '.join(self.scores())}."
            )
        metamorphic.share_of(self.metamorphic)

    def paths(self, features: Features) -> dict[str, str]:
        """The columns that the rubric reads."""
        return found_paths(self, features, self.prompt.front.columns)

    def contract(self) -> Contract:
        """A JSON object by the rubric's schema, or the same in tags."""
        return self.in_words.contract

    def contract_of(self, request: Request) -> Contract:
        """Requests with log probabilities are answered by a letter."""
        return (self.by_letter if request.sampling.logprobs else self.in_words).contract

    def requests(self, inputs: RowInputs, model: str) -> Sequence[Request]:
        """One request per sample, or one for a letter."""
        refuse_nulls(inputs)
        if self.expected:
            return [self._letter_request(inputs, model)]
        return [self._request(inputs, model, sample) for sample in range(self.samples)]

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Fields that do not go together, then all that a model can lack."""
        self.check_fields()
        return super().preflight(before)

    def calls_per_row(self) -> int:
        """One for each sample, or one for a letter."""
        return self.samples

    def further(self) -> Further:
        """In words, rows whose letter is not certain enough; and sampled rows with changed code, beside the others."""
        beside = partial(metamorphic.variants, self._trial())
        return Further(follow_up=self._asked_in_words if self.expected else None, beside=beside)

    def _asked_in_words(self, inputs: RowInputs, model: str, store: ResponseStore) -> Sequence[Request]:
        if _certain(store.reply(self._letter_request(inputs, model).key)):
            return ()
        return [self._request(inputs, model, 0)]

    def review(self) -> Review | None:
        """Repairs; a letter is not repaired, the row is asked about in words instead."""
        return None if self.expected else super().review()

    def _request(self, inputs: RowInputs, model: str, sample: int) -> Request:
        return self.in_words.about({**inputs, "form": self.form}, model, sample)

    def _letter_request(self, inputs: RowInputs, model: str) -> Request:
        return self.by_letter.about({**inputs, "form": "letter"}, model)

    def parse(self, inputs: RowInputs, replies: Sequence[ParsedReply]) -> RowValues:
        """The verdict from all replies for a row; RowFailure when one of them is not usable."""
        if self.expected:
            return self._expected(*replies)
        refuse_failures(replies)
        verdict: dict[str, Any] = {RAW: "\n\n".join(reply.raw or "" for reply in replies)}
        for name, kind in self.reply_schema()["properties"].items():
            values = [(reply.fields or {})[name] for reply in replies]
            if len(values) == 1:
                verdict[name] = values[0]
            elif name in self.scores():
                verdict[name], verdict[f"{name}_spread"] = aggregate(values, kind.get("enum"))
            else:
                verdict[name] = "\n".join(map(str, values))
        return verdict

    def _expected(self, letter: ParsedReply, in_words: ParsedReply | None = None) -> RowValues:
        """The weighted score of a letter, or the score in words where the letter was not certain enough."""
        score, name = letter_score(letter.reply), next(iter(self.scores()))
        mass = score.mass if score else None
        if in_words is None:
            return {RAW: letter.raw, name: score.expected if score else None, f"{name}_mass": mass}
        refuse_failures([in_words])
        return {RAW: in_words.raw, name: float((in_words.fields or {})[name]), f"{name}_mass": mass}

    def to_columns(self, values: Sequence[RowValues | None], features: Features) -> dict[str, pa.Array]:
        """The verdicts' columns."""
        return verdict_columns(values, self.column_names(_before(self, features)), features)

    def _trial(self) -> Trial:
        return Trial(self, self.scores(), self.metamorphic)

    def facts(self, ds: Dataset, done: Dataset, model: str, store: ResponseStore) -> dict[str, object]:
        """The rubric, how often each label was given, how many letters were not certain enough, and the shifts."""
        names = self.column_names(_before(self, done.features))
        found: dict[str, Any] = {"rubric": self.prompt.spec, "verdicts": verdict_counts(done, self.fields(), names)}
        if self.expected:
            mass = column(done, f"{self.main_column()}_mass").to_pylist()
            found["asked_in_words"] = sum(value is None or value < LEAST_MASS for value in mass)
        if self.metamorphic:
            found["metamorphic"] = metamorphic.shifts(self._trial(), ds, model, store)
        return found

    def notes(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """That letters were not certain enough, and how far changed code moved the ratings."""
        uncertain = facts.get("asked_in_words", 0)
        aloud = (
            f"{rows_text(uncertain)} asked in words: the letters had less than {LEAST_MASS:g} of the probability, or "
            "the server gave no log probabilities",
        )
        return (*(aloud if uncertain else ()), *metamorphic.told(facts.get("metamorphic")))


def _certain(reply: Reply | None) -> bool:
    score = letter_score(reply)
    return score is not None and score.mass >= LEAST_MASS


def _before(judge: ModelJudge, features: Features) -> Features:
    """The features as they were before the judge's columns came."""
    own = {judge.prefix + field for field in judge.fields()} | {f"{judge.prefix}{RAW}_{judge.label()}"}
    raw_was_there = f"{judge.prefix}{RAW}_{judge.label()}" in features
    own -= {judge.prefix + RAW} if raw_was_there else set()
    return type(features)({name: kind for name, kind in features.items() if name not in own})


def field_of_schema(kind: Mapping[str, Any], *, averaged: bool) -> VerdictField:
    """The column of a property of a reply."""
    import datasets

    if "enum" in kind:
        return VerdictField(datasets.Value("string"), tuple(kind["enum"]))
    types = {"string": "string", "integer": "float64" if averaged else "int64", "number": "float64", "boolean": "bool"}
    if kind.get("type") not in types:
        raise kb.errors.UsageError(f"a rubric's reply may hold {', '.join(types)} and enums, not {kind.get('type')!r}.")
    return VerdictField(datasets.Value(types[kind["type"]]))


def aggregate(values: Sequence[Any], labels: Sequence[str] | None) -> tuple[object, float]:
    """Several ratings as one, and their spread.

    Labels: the most frequent (of equally frequent ones the lower median by the labels' order), and the share of ratings
    that differ from it. Scores: the mean, and the standard deviation over the ratings.
    """
    if labels is None:
        return statistics.fmean(values), statistics.pstdev(values)
    counts = Counter(values)
    most = max(counts.values())
    tied = sorted((label for label, count in counts.items() if count == most), key=list(labels).index)
    chosen = tied[(len(tied) - 1) // 2]
    return chosen, 1 - counts[chosen] / len(values)
