"""From stored replies to the rows of the result: a synchronous map without a call, and what becomes of failed rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kbtools.asking.parts import Material, RowFault
from kbtools.asking.rows import BATCH, Row, asked, first_requests, materials, materials_of, with_further
from kbtools.data.table import column, keep, map_batches, row_name
from kbtools.errors import RowError
from kbtools.models.request import Request
from kbtools.models.store import ResponseStore, chunks
from kbtools.models.structured import Contract, Settled, settle
from kbtools.result import Drop, Failure, Result

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.asking.stage import Asking

ERROR = "__kbtools_error__"
NAMED = 5
"""Rows that a message names before it only counts."""


def replay(stage: Asking, ds: Dataset, model: str, store: ResponseStore) -> Result:
    """The stage's result from what is stored; its fingerprint covers which replies there are."""
    import datasets

    paths = stage.paths(ds.features)
    features = stage.new_features(ds.features)

    def replayed(table: pa.Table) -> pa.Table:
        return _assembled(stage, table, conclusions(stage, materials_of(table, paths), model, store), features)

    done = map_batches(
        ds,
        replayed,
        features=datasets.Features({**features, ERROR: datasets.Value("string")}),
        fingerprint=stage.fingerprint(ds, _replies_digest(stage, ds, model, store)),
        rows=BATCH,
    )
    return _sorted_out(stage, ds, done, model, store)


def conclusions(
    stage: Asking, given: Iterable[Material], model: str, store: ResponseStore
) -> list[Mapping[str, Any] | RowFault]:
    """What the stage concludes of each material from the stored replies, or why it cannot."""
    rows = [with_further(stage, row, model, store) for row in asked(stage, given, model)]
    settled = iter(_settled(stage, [request for row in rows for request in row.requests], store))
    return [_concluded(stage, row, [next(settled) for _ in row.requests]) for row in rows]


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


def _concluded(stage: Asking, row: Row, replies: list[Settled]) -> Mapping[str, Any] | RowFault:
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
    for rows in chunks(asked(stage, materials(stage, ds), model), BATCH):
        requests = (request for row in rows for request in with_further(stage, row, model, store).requests)
        for key, state in sorted(store.states([request.key for request in requests]).items()):
            digest.update(f"{key}{state.kind}{state.stored}".encode())
    return digest.hexdigest()


def _sorted_out(stage: Asking, ds: Dataset, done: Dataset, model: str, store: ResponseStore) -> Result:
    """Deal with the rows that failed as `on_error` says."""
    errors: list[str | None] = column(done, ERROR).to_pylist()
    bad = [index for index, error in enumerate(errors) if error is not None]
    if bad and stage.on_error == "raise":
        raise RowError(_raise_text(stage, ds, errors, bad))
    failed = _failures(stage, ds, errors, bad)
    facts = {"model": model, "sampling": _sampling(stage, ds, model), **stage.facts(ds, done, model, store)}
    notes = stage.notes(facts)
    if stage.on_error == "null":
        named = done.rename_column(ERROR, f"{stage.main_column()}_error")
        return Result(named, failed=failed, notes=notes, facts=facts)
    rows = done.remove_columns(ERROR)
    if not bad:
        return Result(rows, notes=notes, facts=facts)
    dropped = tuple(
        Drop(keep(ds, _mask(errors, failure.kind), stage.fingerprint(ds, failure.kind)), failure.kind)
        for failure in failed
    )
    kept = keep(rows, ~_mask(errors, None), stage.fingerprint(done, "kept"))
    return Result(kept, dropped=dropped, failed=failed, notes=notes, facts=facts)


def _sampling(stage: Asking, ds: Dataset, model: str) -> dict[str, Any]:
    """How replies were drawn, as the first request says it: the prompt's own and the fields that were given."""
    first = next(first_requests(stage, materials(stage, ds), model), None)
    return first.sampling.fields() if first else {}


def _kind_of(error: str) -> str:
    return error.partition(":")[0]


def _mask(errors: Sequence[str | None], kind: str | None) -> np.ndarray:
    """Which rows failed with this kind of fault; None stands for any."""
    import numpy as np

    return np.array([error is not None and kind in (None, _kind_of(error)) for error in errors], dtype=bool)


def _failures(stage: Asking, ds: Dataset, errors: Sequence[str | None], bad: Sequence[int]) -> tuple[Failure, ...]:
    counts = Counter(_kind_of(errors[index] or "") for index in bad)
    return tuple(
        Failure(kind, count, tuple(_examples(stage, ds, errors, [i for i in bad if _kind_of(errors[i] or "") == kind])))
        for kind, count in counts.items()
    )


def _examples(stage: Asking, ds: Dataset, errors: Sequence[str | None], bad: Sequence[int]) -> Iterator[str]:
    for index in bad[:NAMED]:
        yield f"{row_name(ds, index, stage.columns)}: {(errors[index] or '')[:200]}"


def _raise_text(stage: Asking, ds: Dataset, errors: Sequence[str | None], bad: Sequence[int]) -> str:
    named = "; ".join(_examples(stage, ds, errors, bad))
    more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return (
        f"{len(bad)} of {ds.num_rows} rows have no usable reply: {named}{more}. All other replies are stored: run "
        "again to ask for these alone, or say with --on-error null or --on-error drop what shall become of them."
    )
