"""The base of stages that ask a model, and its three steps.

`row_requests` makes the requests, `kbtools.models` runs them, and `replay` makes the result; a stage says what is asked
about a row and what the replies come to.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import JsonValue

from kbtools.calls import Chain, Distinct, asked_by_chain, on_calls
from kbtools.data.table import empty
from kbtools.errors import Missing, SchemaError
from kbtools.llm.heard import Hearing, heard_by_run, hearing
from kbtools.llm.options import CallOptions
from kbtools.llm.parts import Further, RowFailure, RowInputs, RowValues, TextContract, found_paths
from kbtools.llm.replay import parsed_rows, replay
from kbtools.llm.row_requests import (
    answered_inputs,
    first_requests,
    follow_up_requests,
    planned_rows,
    repeated,
    requests_of,
    row_inputs,
)
from kbtools.models.choice import default_model, model_backend
from kbtools.models.contract import Contract, Repairing
from kbtools.models.engine.run import RequestPlan, plan_requests, run_requests
from kbtools.models.options import Options, Spend
from kbtools.models.request import Request
from kbtools.models.settled import ParsedReply
from kbtools.models.spec import with_dialect
from kbtools.models.store import ResponseStore
from kbtools.plugins import prompt
from kbtools.result import Result
from kbtools.stage import Placement, Stage

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.models.backend import ModelBackend, Review

NOTHING_SPENT = Spend()


class ModelStage(CallOptions, Stage):
    """A stage that asks a model about every row.

    A stage of one's own names the roles that it `reads`, and writes `requests`, `parse` and `new_columns`; everything
    else has a default. `further` is the hook for what is asked beyond that.
    """

    placement: ClassVar[Placement] = "driver"
    reads: ClassVar[tuple[str, ...]] = ()
    """Roles whose texts a row's `inputs` hold, such as `reference_code`; the dataset must have them."""
    without_model: ClassVar[str] = ""
    """A sentence on what does a similar thing without any model, for those who have none."""

    def new_columns(self) -> Mapping[str, object]:
        """Name and feature of each column that `parse` gives values for."""
        return {}

    def new_features(self, features: Features) -> Features:
        """Output features if every row succeeds. Raises UsageError for invalid options."""
        if taken := [name for name in self.new_columns() if name in features]:
            raise SchemaError(f"the columns {', '.join(taken)} exist already; leave them out first.")
        return type(features)({**features, **self.new_columns()})

    def paths(self, features: Features) -> dict[str, str]:
        """Column path of each role that goes into the inputs of a row."""
        return found_paths(self, features, self.reads)

    @abstractmethod
    def requests(self, inputs: RowInputs, model: str) -> Sequence[Request]:
        """What to ask about one row; RowFailure when nothing can be asked."""

    def contract(self) -> Contract:
        """What a usable reply is; by default any text."""
        return TextContract()

    @abstractmethod
    def parse(self, inputs: RowInputs, replies: Sequence[ParsedReply]) -> RowValues:
        """The values of the new columns for one row, from its parsed replies in order; RowFailure for none."""

    def to_columns(self, values: Sequence[RowValues | None], features: Features) -> dict[str, pa.Array]:
        """The new columns of a batch, from its rows' values (None for a row that failed)."""
        import pyarrow as pa

        return {
            name: pa.array(
                [None if value is None else value[name] for value in values], features.arrow_schema.field(name).type
            )
            for name in self.new_columns()
        }

    def to_table(self, table: pa.Table, values: Sequence[RowValues | None], features: Features) -> pa.Table:
        """The output of a batch, from its rows and their values; one row for each.

        By default the rows with the new columns beside them. A stage whose result is anything else writes its own.
        """
        for name, cells in self.to_columns(values, features).items():
            table = table.append_column(name, cells)
        return table

    def adds_columns(self) -> bool:
        """Whether the result is the rows with new columns, as it is without a `to_table` of the stage's own."""
        return type(self).to_table is ModelStage.to_table

    def main_column(self) -> str:
        """Column after which the error column is called."""
        return next(iter(self.new_columns()))

    def review(self) -> Review | None:
        """What the engine does with each first reply: one repair request for a reply that does not fit."""
        return Repairing(self.contract())

    def further(self) -> Further:
        """What is asked beyond one round of `requests` for each row; nothing by default."""
        return Further()

    def outcomes(
        self, given: Iterable[RowInputs], model: str, store: ResponseStore
    ) -> Sequence[RowValues | RowFailure]:
        """What comes of each row by the stored replies: its values, or why there are none."""
        return parsed_rows(self, given, model, store)

    def contract_of(self, request: Request) -> Contract:
        """The contract of one of the row's requests, where they differ."""
        return self.contract()

    def facts(self, ds: Dataset, done: Dataset, model: str, store: ResponseStore) -> dict[str, Any]:
        """Figures for the lineage beyond the model's name, from the rows, the result and the stored replies."""
        return {}

    def notes(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """What people are told of these figures."""
        return ()

    def pinned(self, spec: str) -> str:
        """A prompt's spec with its version spelled out, so that a recorded run asks the same again."""
        return spec if spec.endswith(".j2") else f"{spec.partition('@')[0]}@v{prompt(spec).version}"

    def config(self) -> dict[str, JsonValue]:
        """The fields that differ from their defaults, and the model that was asked."""
        found = super().config()
        return {**found, "model": self.spec()} if self.model or default_model() else found

    def output_features(self, features: Features) -> Features:
        """The new features, and `<column>_error` where failed rows stay as nulls."""
        import datasets

        self.paths(features)
        after = self.new_features(features)
        if self.on_error != "null":
            return after
        return type(features)({**after, f"{self.main_column()}_error": datasets.Value("string")})

    def keeps_rows(self) -> bool:
        """Whether the result has a row for each row, apart from those that failed."""
        return self.further().times == 1

    def calls_per_row(self) -> int:
        """Requests of the first round for each row, for the estimate of the time to go."""
        return 1

    def backend(self) -> ModelBackend:
        """The backend of the model spec; ConfigError says how to name one."""
        return with_dialect(model_backend(self.spec()), self.response_format, self.max_tokens_field)

    def spec(self) -> str:
        """The model spec of this stage or the default of the environment."""
        spec = self.model or default_model()
        if not spec:
            raise Missing(
                f"stage {self.name!r} asks a model, and none is configured. Give --model SPEC (openai:gpt-5.2, "
                "prime:openai/gpt-5.2, http://localhost:8000/v1#NAME, serve:PATH, vllm:PATH, hf:PATH), or set "
                f"KBTOOLS_MODEL, DATA_MODEL, or [model] default in kbtools.toml. {self.without_model}".rstrip()
            )
        return spec

    def options(self) -> Options:
        """Limits of the run, completed by what the configuration says of the model."""
        return self.limits(self.spec())

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """An unknown model, a missing key or an invalid limit fails before any row is loaded."""
        self.options()
        self.backend().close()
        return ()

    def transform(self, ds: Dataset) -> Result:
        """Plan the requests, run them, replay the replies."""
        if ds.num_rows == 0:
            return Result(empty(self.output_features(ds.features)))
        ds = repeated(self, ds)
        with closing(self.backend()) as backend, ResponseStore(self.store) as store, hearing():
            self.ask(ds, backend, store)
            return self.replayed(ds, backend.model, store)

    def replayed(self, ds: Dataset, model: str, store: ResponseStore) -> Result:
        """The result from what is stored, without a call."""
        return replay(self, ds, model, store)

    def ask(self, ds: Dataset, backend: ModelBackend, store: ResponseStore, spent: Spend = NOTHING_SPENT) -> Spend:
        """Bring all requests to stored replies; returns `spent` with what this took off the budget."""
        run = partial(run_requests, backend=backend, store=store, progress=on_calls.get())
        rows, total = planned_rows(self, self._all(ds), backend.model), ds.num_rows * self.calls_per_row()
        options, review = replace(self.options(), already=spent), self.review()
        seen, heard = _seen(store, review), heard_by_run.get()
        if heard is not None and isinstance(review, Repairing) and not self.further().follow_up:
            rows, review = heard.planned(rows), Hearing(review, self.contract_of, heard)
        spent = run(requests_of(rows), options=options, review=review, total=total, seen=seen).booked
        if self.further().follow_up:
            more, review = follow_up_requests(self, self._all(ds), backend.model, store), Repairing(self.contract())
            options = replace(options, already=spent)
            spent = run(more, options=options, review=review, seen=_seen(store, review)).booked
        return spent

    def plan_calls(self, ds: Dataset, seen: Chain) -> tuple[RequestPlan, ...]:
        """What `transform` would ask and what is stored already, without a call.

        `seen` holds what earlier stages and splits ask. A second round is known only for rows whose first replies are
        stored.
        """
        if ds.num_rows == 0:
            return ()
        ds = repeated(self, ds)
        with closing(self.backend()) as backend, ResponseStore(self.store) as store:
            model, options = backend.model, self.options()
            plan = partial(plan_requests, backend=backend, store=store, options=options)
            first, review = first_requests(self, self._all(ds), model), self.review()
            plans = [plan(first, review=review, seen=seen.of(store.path, review))]
            if self.further().follow_up:
                review = Repairing(self.contract())
                more = follow_up_requests(self, answered_inputs(self, self._all(ds), model, store), model, store)
                plans.append(plan(more, review=review, seen=seen.of(store.path, review)))
        return (plans[0], *(further for further in plans[1:] if further.requests))

    def _all(self, ds: Dataset) -> Iterable[RowInputs]:
        beside = self.further().beside
        return chain(row_inputs(self, ds), beside(ds) if beside else ())


def _seen(store: ResponseStore, review: object) -> Distinct | None:
    chain = asked_by_chain.get()
    return chain.of(store.path, review) if chain else None
