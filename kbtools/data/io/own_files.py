"""Files that are no datasets: reports, plots, figures. Each carries a mark of what it was made from.

Only a file that was made from the same dataset is replaced unasked. What has a lineage is looked at in `kbtools.cli`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from kbtools.data.hub import datasets as from_hub
from kbtools.data.io.source import Source, local_path
from kbtools.errors import UsageError

_OURS = "kbtools:"
_HEAD = 1 << 16
"""Bytes at the beginning of a file in which its mark is."""

_overwrite: ContextVar[bool] = ContextVar("overwrite", default=False)
_mark: ContextVar[str] = ContextVar("mark", default=f"{_OURS}memory")


def mark() -> str:
    """What files that are written now carry."""
    return _mark.get()


def mark_of(source: Source | None) -> str:
    """The mark of files that are made from this source; it tells nobody what that is."""
    if source is None:
        return f"{_OURS}memory"
    on_hub = from_hub.is_on_hub(source)
    plain = from_hub.plain(source) if on_hub else source
    name = plain.dataset if on_hub else str(local_path(plain.dataset).resolve())
    identity = json.dumps([name, plain.config, plain.split, plain.limit])
    return _OURS + hashlib.sha256(identity.encode()).hexdigest()[:16]


@contextmanager
def made_from(source: Source | None) -> Iterator[None]:
    """Files that are written in the body are made from this source."""
    token = _mark.set(mark_of(source))
    try:
        yield
    finally:
        _mark.reset(token)


@contextmanager
def replacing(*, foreign: bool) -> Iterator[None]:
    """Files of something else may be replaced in the body, if `--overwrite` says so."""
    token = _overwrite.set(foreign)
    try:
        yield
    finally:
        _overwrite.reset(token)


def check(path: Path, wanted: str, remedy: str) -> list[str]:
    """What will be replaced, in words; UsageError for a file of something else, unless it may be overwritten."""
    if not path.is_file() or not (head := _head(path)) or wanted.encode() in head:
        return [f"replaces {path}"] if path.is_file() else []
    what = "was made from another dataset" if _OURS.encode() in head else "was not made by kbtools"
    if not _overwrite.get():
        raise UsageError(f"{path} exists and {what}: {remedy}, or replace it with --overwrite.")
    return [f"warning: replaces {path}, which {what} (--overwrite)"]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
