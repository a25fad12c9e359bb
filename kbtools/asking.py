"""Stages that ask a model: rows become requests, the engine fulfils them, and a plain map replays the replies.

The three steps are the same for every such stage. A stage says what it asks for a row (`requests`), what a usable reply
is (`contract`) and what it concludes from the replies (`conclude`); calls, retries, budget and the store are
`kbtools.models`' part. A reply is stored before this module sees it, so a run that ends anywhere goes on from there.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kbtools.data import texts
from kbtools.data.layout import Schema
from kbtools.data.table import batches, column, empty, keep, map_batches, row_name, take
from kbtools.errors import ConfigError, RowError
from kbtools.models.fulfil import Plan, fulfil, plan
from kbtools.models.options import Options
from kbtools.models.progress import Progress
from kbtools.models.request import Request, Sampling
from kbtools.models.spec import with_configured_limits
from kbtools.models.store import ResponseStore, chunks
from kbtools.models.structured import Contract, Repairing, Settled, settle
from kbtools.plugins import default_model, model_backend, prompt
from kbtools.stage import Drop, Failure, Result, Stage

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.models.backend import ModelBackend, Review

on_calls: ContextVar[Callable[[Progress], None]] = ContextVar("on_calls", default=lambda progress: None)
"""Called with the counters of running calls; the pipeline points it at its observer."""

ERROR = "__kbtools_error__"
REPEAT = "__kbtools_repeat__"
Material = Mapping[str, str | None]


class RowFault(Exception):
    """A row for which there is no result; `kind` is counted, the message is kept with the row."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Asking(Stage):
    """A stage that asks a model about every row."""

    model: str = ""
    """Model spec, such as openai:gpt-5.2, http://localhost:8000/v1#name, serve:PATH or hf:PATH."""
    temperature: float | None = None
    """Sampling temperature; the prompt's own when not given."""
    max_reply_tokens: int | None = None
    """Most tokens of one reply, reasoning included; the prompt's own when not given."""
    reasoning_effort: str | None = None
    """Passed on to models that reason."""
    on_error: Literal["raise", "null", "drop"] = "raise"
    """What becomes of rows without a usable reply, once all other rows are done."""
    store: str | None = Field(default=None, exclude=True)
    """Response store; one file per user when not given."""
    max_in_flight: int = Field(default=64, exclude=True)
    """Most calls at once; the limit adapts below it."""
    timeout: float = Field(default=600.0, exclude=True)
    """Seconds for one attempt."""
    deadline: float = Field(default=3600.0, exclude=True)
    """Seconds for one row, all attempts and waits together."""
    max_attempts: int = Field(default=8, exclude=True)
    """Attempts that may fail before a row counts as failed."""
    rpm: int | None = Field(default=None, exclude=True)
    """Most requests per minute."""
    tpm: int | None = Field(default=None, exclude=True)
    """Most tokens per minute."""
    max_requests: int | None = Field(default=None, exclude=True)
    """Stop before more calls than this, retries included; a further run goes on."""
    max_tokens: int | None = Field(default=None, exclude=True)
    """Stop before prompts and replies together take more tokens than this."""
    max_cost: float | None = Field(default=None, exclude=True)
    """Stop before spending more than this; needs [prices] in kbtools.toml."""

    @abstractmethod
    def new_features(self, features: Features) -> Features:
        """Features of the result where every row got one, with all faults of the fields raised."""

    @abstractmethod
    def paths(self, features: Features) -> dict[str, str]:
        """Column path of each meaning that goes into the material of a row."""

    @abstractmethod
    def requests(self, material: Material, model: str) -> Sequence[Request]:
        """What to ask about one row; RowFault when nothing can be asked."""

    @abstractmethod
    def contract(self) -> Contract:
        """What a usable reply is."""

    @abstractmethod
    def conclude(self, material: Material, replies: Sequence[Settled]) -> Mapping[str, Any]:
        """The values of the new columns for one row, from its settled requests in order; RowFault for none."""

    @abstractmethod
    def assemble(self, table: pa.Table, values: Sequence[Mapping[str, Any] | None], features: Features) -> pa.Table:
        """The output of a batch, from its rows and their values (None for a row that failed); one row for each."""

    @abstractmethod
    def main_column(self) -> str:
        """Column after which the error column is called."""

    def review(self) -> Review | None:
        """What the engine does with each first reply: one repair request for a reply that does not fit."""
        return Repairing(self.contract())

    def further(self, material: Material, model: str, store: ResponseStore) -> Sequence[Request]:
        """What to ask about a row once its first replies are there; nothing by default."""
        return ()

    def contract_of(self, request: Request) -> Contract:
        """The contract of one of the row's requests, where they differ."""
        return self.contract()

    def facts(self, done: Dataset) -> dict[str, Any]:
        """Figures for the lineage beyond the model and the calls."""
        return {}

    def sampling(self, defaults: Mapping[str, Any]) -> Sampling:
        """The prompt's sampling, overridden by the fields that were given."""
        own = {
            "temperature": self.temperature,
            "max_tokens": self.max_reply_tokens,
            "reasoning_effort": self.reasoning_effort,
        }
        return Sampling(**{**defaults, **{name: value for name, value in own.items() if value is not None}})

    def pinned(self, spec: str) -> str:
        """A prompt's spec with its version spelled out, so that a recorded run asks the same again."""
        return spec if spec.endswith(".j2") else f"{spec.partition('@')[0]}@v{prompt(spec).version}"

    def config(self) -> dict[str, Any]:
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

    def repeats(self) -> int:
        """How many rows of the result each row becomes; the material then holds which one under `REPEAT`."""
        return 1

    def transform(self, ds: Dataset) -> Result:
        """Plan, fulfil, replay."""
        if ds.num_rows == 0:
            return Result(empty(self.output_features(ds.features)))
        ds = _repeated(self, ds)
        with closing(self.backend()) as backend, ResponseStore(self.store) as store:
            options, report = self.options(), on_calls.get()
            fulfil(_first_requests(self, ds, backend.model), backend, store, options, report, review=self.review())
            if type(self).further is not Asking.further:
                more = _further_requests(self, ds, backend.model, store)
                fulfil(more, backend, store, options, report, review=Repairing(self.contract()))
            return _replay(self, ds, backend.model, store)

    def plan_calls(self, ds: Dataset) -> Plan:
        """What `transform` would ask and what is stored already, without a call."""
        ds = _repeated(self, ds)
        with closing(self.backend()) as backend, ResponseStore(self.store) as store:
            requests = _first_requests(self, ds, backend.model)
            return plan(requests, backend, store, self.options(), review=self.review())

    def backend(self) -> ModelBackend:
        """The backend of the model spec; ConfigError says how to name one."""
        return model_backend(self.spec())

    def spec(self) -> str:
        """The model spec of this stage or the default of the environment."""
        spec = self.model or default_model()
        if not spec:
            raise ConfigError(
                f"stage {self.name!r} asks a model, and none is configured. Give --model SPEC (openai:gpt-5.2, "
                "prime:openai/gpt-5.2, http://localhost:8000/v1#NAME, serve:PATH, vllm:PATH, hf:PATH), or set "
                "KBTOOLS_MODEL or DATA_MODEL. Without any model, `judge --judge static` rates code by its syntax."
            )
        return spec

    def options(self) -> Options:
        """Limits of the run, completed by what the configuration says of the model."""
        names = ("max_in_flight", "timeout", "deadline", "max_attempts", "rpm", "tpm")
        budget = ("max_requests", "max_tokens", "max_cost")
        spec = self.spec()
        prices = with_configured_limits(Options(), spec).prices
        given = {name: getattr(self, name) for name in (*names, *budget)}
        return with_configured_limits(Options(**given, prices=prices), spec)


def _repeated(stage: Asking, ds: Dataset) -> Dataset:
    """Each row as often as the stage wants, with its number and which repetition it is."""
    import numpy as np

    if stage.repeats() == 1:
        return ds
    rows = np.repeat(np.arange(ds.num_rows), stage.repeats())
    times = np.tile(np.arange(stage.repeats()), ds.num_rows)
    return take(ds, rows, stage.fingerprint(ds, "repeated")).add_column(REPEAT, times)


@dataclass(frozen=True)
class _Row:
    material: Material
    requests: tuple[Request, ...]
    fault: RowFault | None


def _rows(stage: Asking, table: pa.Table, paths: Mapping[str, str], model: str) -> Iterator[_Row]:
    found = {meaning: texts.of_column(table, path) for meaning, path in paths.items()}
    if REPEAT in table.column_names:
        found[REPEAT] = texts.of_column(table, REPEAT)
    for index in range(table.num_rows):
        material = {meaning: values[index] for meaning, values in found.items()}
        try:
            yield _Row(material, tuple(stage.requests(material, model)), None)
        except RowFault as fault:
            yield _Row(material, (), fault)


def _all_rows(stage: Asking, ds: Dataset, model: str) -> Iterator[_Row]:
    paths = stage.paths(ds.features)
    repeat = [REPEAT] if REPEAT in ds.column_names else []
    for table in batches(ds, [*paths.values(), *repeat], rows=500):
        yield from _rows(stage, table, paths, model)


def _first_requests(stage: Asking, ds: Dataset, model: str) -> Iterator[Request]:
    for row in _all_rows(stage, ds, model):
        yield from row.requests


def _further_requests(stage: Asking, ds: Dataset, model: str, store: ResponseStore) -> Iterator[Request]:
    for row in _all_rows(stage, ds, model):
        if row.fault is None:
            yield from stage.further(row.material, model, store)


def _replay(stage: Asking, ds: Dataset, model: str, store: ResponseStore) -> Result:
    """A synchronous map that looks the replies up; its fingerprint covers which replies there are."""
    import datasets

    paths = stage.paths(ds.features)
    features = stage.new_features(ds.features)
    marked = datasets.Features({**features, ERROR: datasets.Value("string")})

    def replayed(table: pa.Table) -> pa.Table:
        rows = [_with_further(stage, row, model, store) for row in _rows(stage, table, paths, model)]
        settled = iter(_settled(stage, [request for row in rows for request in row.requests], store))
        outcomes = [_concluded(stage, row, [next(settled) for _ in row.requests]) for row in rows]
        return _assembled(stage, table, outcomes, features)

    fingerprint = stage.fingerprint(ds, _replies_digest(stage, ds, model, store))
    done = map_batches(ds, replayed, features=marked, fingerprint=fingerprint, rows=500)
    return _sorted_out(stage, ds, done, model)


def _with_further(stage: Asking, row: _Row, model: str, store: ResponseStore) -> _Row:
    if row.fault is not None:
        return row
    return replace(row, requests=(*row.requests, *stage.further(row.material, model, store)))


def _settled(stage: Asking, requests: Sequence[Request], store: ResponseStore) -> list[Settled]:
    """The settled requests in order, each by its own contract."""
    found: dict[int, Settled] = {}
    groups: dict[type[Contract], list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(type(stage.contract_of(request)), []).append(index)
    for indices in groups.values():
        group = [requests[index] for index in indices]
        found.update(zip(indices, settle(stage.contract_of(group[0]), group, store), strict=True))
    return [found[index] for index in range(len(requests))]


def _concluded(stage: Asking, row: _Row, replies: list[Settled]) -> Mapping[str, Any] | RowFault:
    if row.fault is not None:
        return row.fault
    try:
        return stage.conclude(row.material, replies)
    except RowFault as fault:
        return fault


def _assembled(
    stage: Asking, table: pa.Table, outcomes: Sequence[Mapping[str, Any] | RowFault], features: Features
) -> pa.Table:
    import pyarrow as pa

    values = [None if isinstance(outcome, RowFault) else outcome for outcome in outcomes]
    errors = [f"{outcome.kind}: {outcome}" if isinstance(outcome, RowFault) else None for outcome in outcomes]
    return stage.assemble(table, values, features).append_column(ERROR, pa.array(errors, pa.string()))


def _replies_digest(stage: Asking, ds: Dataset, model: str, store: ResponseStore) -> str:
    """Digest of which replies are there: after a repeated failure the map must not be taken from the cache."""
    digest = hashlib.sha256()
    for rows in chunks(_all_rows(stage, ds, model), 500):
        requests = (request for row in rows for request in _with_further(stage, row, model, store).requests)
        for key, state in sorted(store.states([request.key for request in requests]).items()):
            digest.update(f"{key}{state.kind}{state.stored}".encode())
    return digest.hexdigest()


def _sorted_out(stage: Asking, ds: Dataset, done: Dataset, model: str) -> Result:
    """Deal with the rows that failed as `on_error` says."""
    import numpy as np

    errors: list[str | None] = column(done, ERROR).to_pylist()
    bad = [index for index, error in enumerate(errors) if error is not None]
    failed = _failures(stage, ds, errors, bad)
    facts = {"model": model, **stage.facts(done)}
    if bad and stage.on_error == "raise":
        raise RowError(_raise_text(stage, ds, errors, bad))
    if stage.on_error == "null":
        named = done.rename_column(ERROR, f"{stage.main_column()}_error")
        return Result(named, failed=failed, facts=facts)
    mask = np.array([error is not None for error in errors], dtype=bool)
    dropped = tuple(
        Drop(keep(ds, _kind_mask(errors, failure.kind), stage.fingerprint(ds, failure.kind)), failure.kind)
        for failure in failed
    )
    kept = (
        keep(done.remove_columns(ERROR), ~mask, stage.fingerprint(done, "kept")) if bad else done.remove_columns(ERROR)
    )
    return Result(kept, dropped=dropped, failed=failed, facts=facts)


def _kind_of(error: str) -> str:
    return error.partition(":")[0]


def _kind_mask(errors: Sequence[str | None], kind: str) -> Any:
    import numpy as np

    return np.array([error is not None and _kind_of(error) == kind for error in errors], dtype=bool)


def _failures(stage: Asking, ds: Dataset, errors: Sequence[str | None], bad: Sequence[int]) -> tuple[Failure, ...]:
    counts = Counter(_kind_of(errors[index] or "") for index in bad)
    return tuple(
        Failure(kind, count, tuple(_examples(stage, ds, errors, [i for i in bad if _kind_of(errors[i] or "") == kind])))
        for kind, count in counts.items()
    )


def _examples(stage: Asking, ds: Dataset, errors: Sequence[str | None], bad: Sequence[int]) -> Iterator[str]:
    for index in bad[:5]:
        yield f"{row_name(ds, index, stage.columns)}: {(errors[index] or '')[:200]}"


def _raise_text(stage: Asking, ds: Dataset, errors: Sequence[str | None], bad: Sequence[int]) -> str:
    named = "; ".join(_examples(stage, ds, errors, bad))
    return (
        f"{len(bad)} of {ds.num_rows} rows have no usable reply: {named}. All other replies are stored: run again to "
        "ask for these alone, or say with --on-error null or --on-error drop what shall become of them."
    )


def refuse_nulls(material: Material) -> None:
    """RowFault for a row that lacks a text which the prompt needs."""
    for meaning, text in material.items():
        if text is None or not text.strip():
            raise RowFault("no-text", f"its {meaning} is {'null' if text is None else 'empty'}")


def refuse_failures(replies: Sequence[Settled]) -> None:
    """RowFault for the first reply that is not usable, with the raw text."""
    for reply in replies:
        if reply.failure is not None:
            raw = f"; the reply was: {reply.raw!r}" if reply.raw is not None else ""
            raise RowFault(reply.failure.kind.value, reply.failure.error + raw)


@dataclass(frozen=True)
class TextContract:
    """Any text at all."""

    @property
    def shape(self) -> str:
        """The form in words."""
        return "text"

    def parse(self, text: str) -> dict[str, Any]:
        """The text without the white space around it."""
        return {"text": text.strip()}


def found_paths(stage: Stage, features: Features, meanings: Sequence[str]) -> dict[str, str]:
    """Path of each meaning; SchemaError for the first that stands nowhere or holds neither text nor messages."""
    schema = Schema(features, stage.columns)
    return {meaning: schema.require(schema.find(meaning), "messages") for meaning in meanings}
