"""Shards put together: the rows in order, and of each stage one result, as if it had seen all of them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.table import empty
from kbtools.figures import Table
from kbtools.result import Drop, Failure, Result
from kbtools.shards.manifest import ROWS, Manifest, StageFindings, read_rows
from kbtools.shards.row_names import filled
from kbtools.shards.task import folder_of
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class PlacedShard:
    """A finished shard at its place, told what it could not know."""

    folder: Path
    findings: tuple[StageFindings, ...]
    """Their rows called by their numbers in the whole."""


def placed(scratch: Path, manifests: Sequence[Manifest]) -> list[PlacedShard]:
    """Consecutive shards from the first one, with the rows before each counted stage by stage."""
    before = rows_before(manifests)
    return [
        PlacedShard(
            folder_of(scratch, manifest.key),
            tuple(
                StageFindings.model_validate_json(filled(each.model_dump_json(), manifest.key, counts))
                for each in manifest.findings
            ),
        )
        for manifest, counts in zip(manifests, before, strict=False)
    ]


def rows_before(manifests: Sequence[Manifest]) -> list[list[int]]:
    """Rows that went into each stage before each of these shards, and before the one that would follow them."""
    stages = len(manifests[0].findings) if manifests else 0
    each = [[found.rows_in for found in manifest.findings] for manifest in manifests]
    return list(
        accumulate(each, lambda sums, rows: [a + b for a, b in zip(sums, rows, strict=True)], initial=[0] * stages)
    )


@dataclass(frozen=True)
class StageOutcome:
    """What one stage did to all rows."""

    result: Result
    """Its dataset is what the chain goes on with where the stage is the last one; of no meaning otherwise."""
    rows_in: int
    rows_out: int
    seconds: float
    """Of all workers together."""


def merged(before: Dataset, stages: Sequence[Stage], parts: Sequence[PlacedShard]) -> list[StageOutcome]:
    """What each stage did to all of its rows."""
    after = _joined(before, [part.folder / ROWS for part in parts])
    return [_outcome(stage, [(part.folder, part.findings[number]) for part in parts], after)
            for number, stage in enumerate(stages)]  # fmt: skip


def _outcome(stage: Stage, parts: Sequence[tuple[Path, StageFindings]], after: Dataset) -> StageOutcome:
    found = [each for _, each in parts]
    joined = stage.joined([_result(folder, each, after) for folder, each in parts])
    return StageOutcome(
        replace(joined, dropped=tuple(_by_reason(joined.dropped))),
        rows_in=sum(each.rows_in for each in found),
        rows_out=sum(each.rows_out for each in found),
        seconds=sum(each.seconds for each in found),
    )


def _result(folder: Path, found: StageFindings, after: Dataset) -> Result:
    return Result(
        after,
        dropped=tuple(Drop(read_rows(folder / drop.file), drop.reason) for drop in found.dropped),
        failed=tuple(Failure(each.kind, each.count, each.examples) for each in found.failed),
        notes=found.notes,
        facts=found.facts,
        tables=tuple(Table(each.title, each.header, each.rows) for each in found.tables),
        merged=found.merged,
    )


def _by_reason(drops: Sequence[Drop]) -> list[Drop]:
    import datasets

    rows: dict[str, list[Dataset]] = {}
    for drop in drops:
        rows.setdefault(drop.reason, []).append(drop.rows)
    return [Drop(datasets.concatenate_datasets(parts), reason) for reason, parts in rows.items()]


def _joined(before: Dataset, files: Sequence[Path]) -> Dataset:
    """The rows of the shards as one dataset, which keeps what is said of the one before."""
    import datasets

    parts = [read_rows(file) for file in files]
    features = parts[0].features
    whole = [part for part in parts if part.num_rows]
    joined = datasets.concatenate_datasets(whole) if whole else empty(features)
    info = before.info.copy()
    info.features = features
    names = "\0".join(file.parent.name for file in files)
    fingerprint = hashlib.sha256(names.encode()).hexdigest()
    return datasets.Dataset(joined.data, info, before.split, fingerprint=fingerprint)
