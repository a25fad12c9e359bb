"""From rows to requests, lazily: nothing is remembered per row, so memory does not grow with the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kbtools.data import texts
from kbtools.data.table import tables, take
from kbtools.llm.parts import REPEAT, RowFailure, RowInputs
from kbtools.models.kinds import Kind
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore, chunks

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from kbtools.llm.model_stage import ModelStage

BATCH = 500


@dataclass(frozen=True)
class RowRequests:
    """A row's texts, and what is asked about them or why nothing can be."""

    inputs: RowInputs
    requests: tuple[Request, ...]
    fault: RowFailure | None = None


def repeated(stage: ModelStage, ds: Dataset) -> Dataset:
    """Each row as often as the stage wants, with the number of the repetition."""
    import numpy as np

    times = stage.further().times
    if times == 1:
        return ds
    rows = np.repeat(np.arange(ds.num_rows), times)
    numbers = np.tile(np.arange(times), ds.num_rows)
    return take(ds, rows, stage.fingerprint(ds, "repeated")).add_column(REPEAT, numbers)


def row_inputs(stage: ModelStage, ds: Dataset) -> Iterator[RowInputs]:
    """The texts that the stage reads of each row, in order."""
    paths = stage.paths(ds.features)
    repeat = [REPEAT] if REPEAT in ds.column_names else []
    for table in tables(ds, [*paths.values(), *repeat], rows=BATCH):
        yield from inputs_of(table, paths)


def inputs_of(table: pa.Table, paths: Mapping[str, str]) -> Iterator[RowInputs]:
    """The texts at these paths of each row of a batch."""
    found = {role: texts.of_column(table, path) for role, path in paths.items()}
    if REPEAT in table.column_names:
        found[REPEAT] = texts.of_column(table, REPEAT)
    for index in range(table.num_rows):
        yield {role: values[index] for role, values in found.items()}


def planned_rows(stage: ModelStage, given: Iterable[RowInputs], model: str) -> Iterator[RowRequests]:
    """Each row with its first requests."""
    for inputs in given:
        try:
            yield RowRequests(inputs, tuple(stage.requests(inputs, model)))
        except RowFailure as fault:
            yield RowRequests(inputs, (), fault)


def first_requests(stage: ModelStage, given: Iterable[RowInputs], model: str) -> Iterator[Request]:
    """The requests of the first round."""
    return requests_of(planned_rows(stage, given, model))


def requests_of(rows: Iterable[RowRequests]) -> Iterator[Request]:
    """The first requests of these rows."""
    for row in rows:
        yield from row.requests


def follow_up_requests(
    stage: ModelStage, given: Iterable[RowInputs], model: str, store: ResponseStore
) -> Iterator[Request]:
    """The requests of the second round, for rows whose first one is stored."""
    for row in planned_rows(stage, given, model):
        yield from with_follow_up(stage, row, model, store).requests[len(row.requests) :]


def with_follow_up(stage: ModelStage, row: RowRequests, model: str, store: ResponseStore) -> RowRequests:
    """The row with the requests that the replies to its first ones call for."""
    follow_up = stage.further().follow_up
    if row.fault is not None or follow_up is None:
        return row
    return replace(row, requests=(*row.requests, *follow_up(row.inputs, model, store)))


def answered_inputs(
    stage: ModelStage, given: Iterable[RowInputs], model: str, store: ResponseStore
) -> Iterator[RowInputs]:
    """The inputs whose first requests all have a stored reply."""
    for rows in chunks(planned_rows(stage, given, model), BATCH):
        states = store.states({request.key for row in rows for request in row.requests})
        usable = {key for key, state in states.items() if state.kind is Kind.OK}
        yield from (row.inputs for row in rows if row.requests and usable.issuperset(r.key for r in row.requests))
