"""The stage `compare`: which of two completions is better, asked in both orders so that the place cannot decide.

The two are in two columns of a row, or in two rows of a group; rows of a group become one row for each pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import JsonValue, PrivateAttr

import kbtools as kb
from kbtools.data import texts
from kbtools.data.new_columns import with_columns
from kbtools.data.table import batches, column, empty, take
from kbtools.llm import ModelStage, Question, RowInputs, found_paths, refuse_failures, refuse_nulls
from kbtools.llm.parts import RowValues
from kbtools.models.contract import Contract, JsonContract, TagContract
from kbtools.models.request import Request
from kbtools.models.settled import ParsedReply
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset, Features

    from kbtools.calls import Chain
    from kbtools.models.engine.run import RequestPlan
    from kbtools.models.store import ResponseStore

ANSWERS = ("first", "second", "equal")
OTHER = {"first": "second", "second": "first", "equal": "equal"}
COLUMNS = ("better", "better_as_first", "better_as_second", "comparison_raw")


class Compare(ModelStage):
    """Ask which of two completions is better, in both orders, and report how much the order decided.

    Both are in one row, or in successive rows of a group:

        kbtools apply compare --group info.module_name --model SPEC --dataset sample
    """

    name: ClassVar[str] = "compare"
    suffix: ClassVar[str] = "compared"
    scope: ClassVar[Literal["split"]] = "split"

    first: str = ""
    """Column of the one text, when both are in a row."""
    second: str = ""
    """Column of the other text, when both are in a row."""
    group: str = ""
    """Column whose equal values make rows a group; successive rows of a group are compared, two by two."""
    template: str = "comparison"
    """Prompt that asks for the comparison."""
    form: Literal["json", "tags"] = "json"
    """How the reply is asked for; tags for models without schema support."""

    _question: Question = PrivateAttr()

    def model_post_init(self, context: object) -> None:
        """Read the template once, to be answered as JSON or in tags: a file may change while the stage runs."""
        prompt = kb.prompt(self.template)
        schema = prompt.front.reply or {}
        contract = TagContract(schema) if self.form == "tags" else JsonContract(schema)
        self._question = Question(prompt, self.sampling(prompt.front.model), contract)

    @property
    def question(self) -> Question:
        """The comparison."""
        return self._question

    def prompts(self) -> Mapping[str, str]:
        """The template's text."""
        prompt = self.question.prompt
        return {prompt.spec: prompt.text}

    def config(self) -> dict[str, JsonValue]:
        """As of every stage that asks, with the template's version spelled out."""
        return {**super().config(), "template": self.pinned(self.template)}

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Which way to compare, then all that a model can lack."""
        self._check_way()
        return super().preflight(before)

    def _check_way(self) -> None:
        if bool(self.group) == bool(self.first and self.second) or (self.group and (self.first or self.second)):
            raise kb.errors.UsageError("compare takes either --first COLUMN --second COLUMN, or --group COLUMN.")

    def output_features(self, features: Features) -> Features:
        """The features of the rows or of the pairs, with the comparison's columns."""
        return super().output_features(self._pair_features(features))

    def new_columns(self) -> Mapping[str, object]:
        """Four text columns: the answer that both orders give, each order's own, and the raw replies."""
        import datasets

        return dict.fromkeys(COLUMNS, datasets.Value("string"))

    def _pair_features(self, features: Features) -> Features:
        """The features with the column `second`, where rows of a group become pairs; checks which way was chosen."""
        import datasets

        self._check_way()
        schema = kb.Schema(features, self.columns)
        if self.group:
            schema.require(self.group, "scalar")
            schema.find("completion")
            if "second" in features:
                raise kb.errors.SchemaError("the column 'second' exists already; leave it out first.")
            return type(features)({**features, "second": datasets.Value("string")})
        return features

    def paths(self, features: Features) -> dict[str, str]:
        """The reference code and the two texts."""
        schema = kb.Schema(features, self.columns)
        first, second = (schema.find("completion"), "second") if self.group else (self.first, self.second)
        reference = found_paths(self, features, ("reference_code",))
        return {**reference, "first": schema.require(first, "messages"), "second": schema.require(second, "messages")}

    def keeps_rows(self) -> bool:
        """Rows that are compared with each other become pairs."""
        return not self.group

    def calls_per_row(self) -> int:
        """One for each order."""
        return 2

    def contract(self) -> Contract:
        """The comparison's schema, as JSON or in tags."""
        return self.question.contract

    def requests(self, inputs: RowInputs, model: str) -> Sequence[Request]:
        """The question in both orders."""
        refuse_nulls(inputs)
        swapped = {**inputs, "first": inputs["second"], "second": inputs["first"]}
        return [self.question.about({**texts_of_row, "form": self.form}, model) for texts_of_row in (inputs, swapped)]

    def parse(self, inputs: RowInputs, replies: Sequence[ParsedReply]) -> RowValues:
        """The answer that both orders agree on, `inconsistent` where they do not."""
        refuse_failures(replies)
        straight, swapped = (str((reply.fields or {})["better"]) for reply in replies)
        swapped = OTHER[swapped]
        return {
            "better": straight if straight == swapped else "inconsistent",
            "better_as_first": straight,
            "better_as_second": swapped,
            "comparison_raw": "\n\n".join(reply.raw or "" for reply in replies),
        }

    def transform(self, ds: Dataset) -> kb.Result:
        """Make the pairs where rows are compared, then ask."""
        if not self.group:
            return super().transform(ds)
        if ds.num_rows == 0:
            return kb.Result(empty(self.output_features(ds.features)))
        pairs, left_over = self._pairs(ds)
        if not pairs.num_rows:
            return kb.Result(empty(self.output_features(ds.features)), dropped=left_over)
        result = super().transform(pairs)
        return replace(result, dropped=(*result.dropped, *left_over))

    def plan_calls(self, ds: Dataset, seen: Chain) -> tuple[RequestPlan, ...]:
        """The calls for the pairs, where rows are compared."""
        return super().plan_calls(self._pairs(ds)[0] if self.group else ds, seen)

    def _pairs(self, ds: Dataset) -> tuple[Dataset, tuple[kb.Drop, ...]]:
        groups: dict[object, list[int]] = {}
        for index, value in enumerate(column(ds, self.group).to_pylist()):
            groups.setdefault(value, []).append(index)
        firsts = [rows[i] for rows in groups.values() for i in range(0, len(rows) - 1, 2)]
        seconds = [rows[i + 1] for rows in groups.values() for i in range(0, len(rows) - 1, 2)]
        odd = [rows[-1] for rows in groups.values() if len(rows) % 2]
        path = kb.Schema(ds.features, self.columns).find("completion")
        others = take(ds, seconds, self.fingerprint(ds, "seconds"))
        said = [text for table in batches(others, [path]) for text in texts.of_column(table, path)]
        import pyarrow as pa

        pairs, features = take(ds, firsts, self.fingerprint(ds, "firsts")), self._pair_features(ds.features)
        pairs = with_columns(pairs, {"second": pa.array(said, pa.string())}, features, self.fingerprint(ds, "pairs"))
        drops = [
            (others, "in the pair of another row"),
            (take(ds, odd, self.fingerprint(ds, "odd")), "no partner left"),
        ]
        return pairs, tuple(kb.Drop(rows, reason) for rows, reason in drops if rows.num_rows)

    def notes(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """How often the place decided."""
        bias = facts["position_bias"]
        first, second, of = bias["first_place"], bias["second_place"], bias["of"]
        return (
            f"the place decided in {first + second:,} of {counted(of, 'pair')}: {counted(first, 'time')} for "
            f"the first, {second:,} for "
            "the second",
        )

    def facts(self, ds: Dataset, done: Dataset, model: str, store: ResponseStore) -> dict[str, Any]:
        """How often each answer was given, and the share of rows in which the place decided."""
        rows = zip(*(column(done, name).to_pylist() for name in COLUMNS[:3]), strict=True)
        answered = [row for row in rows if row[0] is not None]
        inconsistent = [row for row in answered if row[0] == "inconsistent"]
        first_place = sum((a == "first") and (b == "second") for _, a, b in inconsistent)
        second_place = sum((a == "second") and (b == "first") for _, a, b in inconsistent)
        return {
            "better": dict(sorted(Counter(row[0] for row in answered).items())),
            "position_bias": {"first_place": first_place, "second_place": second_place, "of": len(answered)},
        }
