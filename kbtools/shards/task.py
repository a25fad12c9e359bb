"""What a worker is told: where its rows are, which stages they go through, and under which key the result is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from kbtools.data.digest import source_digest
from kbtools.data.io.source import Source
from kbtools.engines import versions
from kbtools.stage import Stage

FORMAT = 2
"""Counted up when shards of before can no longer be read, or mean something else."""


class _TaskPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rows(_TaskPart):
    """Where the rows of a shard are."""

    digest: str
    """Of what the range is cut from: equal digests are equal rows."""
    start: int = 0
    stop: int
    source: Source | None = None
    """A source that is pinned."""
    file: str | None = None
    """A file in the scratch folder: the rows; with columns, their numbers in the source or in shards."""
    columns: tuple[str, ...] = ()
    """What is read of a source or of shards."""


class ShardTask(_TaskPart):
    """Row-wise stages over a range of rows."""

    key: str
    rows: Rows
    stages: tuple[dict[str, Any], ...]
    """As a recipe writes them: a pickled stage would have another name and fingerprint where nothing is registered."""
    first: int
    """Position of the first stage in the chain, for what errors say."""
    scratch: str


def key_of(rows: Rows, stages: Sequence[Stage]) -> str:
    """Under which a shard is kept: all that its result depends on."""
    import datasets

    shared = [f"{name} {version}" for name, version in versions.here().items().items()]
    cut = [rows.digest, f"{rows.start}-{rows.stop}", json.dumps(rows.columns)]
    parts = [str(FORMAT), *cut, source_digest("kbtools.stage"), *shared]
    at = datasets.Dataset.from_dict({})
    at._fingerprint = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    for stage in stages:
        at._fingerprint = stage.fingerprint(at, "shard")
    return str(at._fingerprint)


def folder_of(scratch: Path, key: str) -> Path:
    """Where what came of a shard is kept."""
    return scratch / "shards" / key[:2] / key
