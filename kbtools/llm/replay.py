"""From stored replies to the rows of the result: a synchronous map without a call, and what becomes of failed rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kbtools.data.made_columns import map_columns
from kbtools.data.table import map_batches, top_column
from kbtools.data.writable import writable
from kbtools.failed_rows import ERROR, resolve_failures, with_error
from kbtools.llm.heard import heard_by_run
from kbtools.llm.parts import REPEAT, RowFailure, RowInputs, RowValues
from kbtools.llm.row_requests import (
    BATCH,
    RowRequests,
    first_requests,
    inputs_of,
    planned_rows,
    row_inputs,
    with_follow_up,
)
from kbtools.models.contract import Contract
from kbtools.models.reading import unwritable
from kbtools.models.request import Request
from kbtools.models.settled import ParsedReply, parse_replies
from kbtools.models.store import ResponseStore
from kbtools.private_text import of_this_machine
from kbtools.result import Result

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.llm.model_stage import ModelStage


def replay(stage: ModelStage, ds: Dataset, model: str, store: ResponseStore) -> Result:
    """The stage's result from what is stored; made anew after every reply that was stored since."""
    paths, features = stage.paths(ds.features), stage.new_features(ds.features)
    key = stage.fingerprint(ds, f"{model} {store.last_write()}")

    def replayed(table: pa.Table) -> pa.Table:
        return _to_table(stage, table, stage.outcomes(inputs_of(table, paths), model, store), features)

    if stage.adds_columns():
        read = [*(top_column(ds.features, path) for path in paths.values()), *({REPEAT} & set(ds.column_names))]
        needs = [*dict.fromkeys(read or ds.column_names[:1])]
        # in order, for so the run has noted what it heard
        done = map_columns(
            ds, replayed, needs, features=with_error(features), fingerprint=key, rows=BATCH, in_order=True
        )
    else:
        done = map_batches(ds, replayed, features=with_error(features), fingerprint=key, rows=BATCH)
    return _sorted_out(stage, ds, done, model, store)


def parsed_rows(
    stage: ModelStage, given: Iterable[RowInputs], model: str, store: ResponseStore
) -> list[RowValues | RowFailure]:
    """What the stage concludes of each inputs from the stored replies, or why it cannot."""
    inputs, heard = list(given), heard_by_run.get()
    recalled = heard.recalled(inputs, store) if heard else [None] * len(inputs)
    unknown = [row for row, replies in zip(inputs, recalled, strict=True) if replies is None]
    rows = [with_follow_up(stage, row, model, store) for row in planned_rows(stage, unknown, model)]
    settled = iter(_settled(stage, [request for row in rows for request in row.requests], store))
    looked_up = iter([_parsed_row(stage, row, [next(settled) for _ in row.requests]) for row in rows])
    return [
        next(looked_up) if replies is None else _concluded(stage, row, replies)
        for row, replies in zip(inputs, recalled, strict=True)
    ]


def _settled(stage: ModelStage, requests: Sequence[Request], store: ResponseStore) -> list[ParsedReply]:
    """The settled requests in order, each by its own contract."""
    found: dict[int, ParsedReply] = {}
    groups: dict[type[Contract], list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(type(stage.contract_of(request)), []).append(index)
    for indices in groups.values():
        group = [requests[index] for index in indices]
        found.update(zip(indices, parse_replies(stage.contract_of(group[0]), group, store), strict=True))
    return [found[index] for index in range(len(requests))]


def _parsed_row(stage: ModelStage, row: RowRequests, replies: list[ParsedReply]) -> RowValues | RowFailure:
    if row.fault is not None:
        return row.fault
    return _concluded(stage, row.inputs, replies)


def _concluded(stage: ModelStage, inputs: RowInputs, replies: Sequence[ParsedReply]) -> RowValues | RowFailure:
    try:
        values = stage.parse(inputs, replies)
    except RowFailure as fault:
        return fault
    unfit = unwritable(values)
    return values if unfit is None else RowFailure(unfit.kind.value, unfit.error)


def _to_table(
    stage: ModelStage, table: pa.Table, outcomes: Sequence[RowValues | RowFailure], features: Features
) -> pa.Table:
    import pyarrow as pa

    values = [None if isinstance(outcome, RowFailure) else outcome for outcome in outcomes]
    failures = [outcome if isinstance(outcome, RowFailure) else None for outcome in outcomes]
    errors = [failure and writable(f"{failure.kind}: {failure}") for failure in failures]
    if stage.on_error == "null" and any(errors):  # they become a column, which may be published
        cleaner = of_this_machine()
        errors = [error and cleaner.told_by([error]).text(error) for error in errors]
    return stage.to_table(table, values, features).append_column(ERROR, pa.array(errors, pa.string()))


def _sorted_out(stage: ModelStage, ds: Dataset, done: Dataset, model: str, store: ResponseStore) -> Result:
    """Deal with the rows that failed as `on_error` says, and add the figures."""
    remedy = "All other replies are stored: run again to ask for these alone"
    errors = f"{stage.main_column()}_error"
    result = resolve_failures(stage, ds, done, stage.on_error, "have no usable reply", remedy, errors)
    facts = {"model": model, "sampling": _sampling(stage, ds, model), **stage.facts(ds, done, model, store)}
    return replace(result, notes=stage.notes(facts), facts=facts)


def _sampling(stage: ModelStage, ds: Dataset, model: str) -> dict[str, object]:
    """How replies were drawn, as the first request says it: the prompt's own and the fields that were given."""
    first = next(first_requests(stage, row_inputs(stage, ds), model), None)
    return first.sampling.fields() if first else {}
