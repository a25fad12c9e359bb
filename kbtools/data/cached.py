"""Rows in the cache of `datasets`: Arrow files in a folder that is called by the digest of what they were read from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from kbtools.data.file_state import FileState, file_digest
from kbtools.data.io import arrow_file
from kbtools.data.io.arrow_file import TableReading
from kbtools.data.io.source import aside

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

FORMAT = 6
"""Counted up when the same file becomes other rows, types or files than before."""
_LARGE = 1 << 26
"""Bytes from which on a file is read and digested at once."""
_DIGITS = 32
"""Of a digest in the name of a folder."""


def cached(
    form: str,
    digest: str,
    reading: TableReading,
    known: pa.Schema | None = None,
    check: Callable[[], None] = lambda: None,
) -> Dataset:
    """The rows of a content with this digest, read in this form unless they are there, and `check` raises nothing."""
    import datasets

    if known is not None:  # the same bytes under another schema are other rows, also to the stages that follow
        digest = hashlib.sha256(digest.encode() + known.serialize().to_pybytes()).hexdigest()
        form = f"{form}-typed"
    target = _place(form, digest)
    if not arrow_file.written(target):

        def settled() -> Path:
            check()
            return target

        arrow_file.write(reading, target, known, settled)
    fingerprint = digest[:64]  # of the content, where `datasets` would take the cache files' time
    parts = [arrow_file.mapped(file, fingerprint) for file in arrow_file.written(target)]
    ds = parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)
    ds._fingerprint = fingerprint
    return ds


def noted_texts(form: str, digest: str, found: Iterable[str]) -> list[str]:
    """The fields of a content that are kept as JSON text: found as it was read, or noted beside it then."""
    note = _place(form, digest).with_name("texts.json")
    if names := sorted(found):
        part = aside(note)
        part.write_text(json.dumps(names), encoding="utf-8")
        part.replace(note)
        return names
    return list(json.loads(note.read_text(encoding="utf-8"))) if note.exists() else []


def written_while_digested(path: Path, seen: FileState, form: str, reading: TableReading) -> str | None:
    """The digest of a large file whose rows are written at the same time, since they cannot be there yet.

    None where they can, for then the digest may be all that is wanted, and where a change may have come in between.
    """
    target = _folder(form).with_suffix(".arrow")
    if not seen.quiet or seen.size < _LARGE or any(target.parent.glob(f"{'?' * _DIGITS}-{target.stem}")):
        return None
    stop = Event()

    def settled() -> Path:
        found = digest.result()
        if FileState.of(path) != seen:
            raise _Changed
        return _place(form, found)

    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(file_digest, path, stop)
        try:
            arrow_file.write(reading, target, settled=settled)
        except _Changed:
            return None
        finally:
            stop.set()
        return digest.result()


class _Changed(Exception):
    """A file is not what it was when its reading began."""


def _place(form: str, digest: str) -> Path:
    return _folder(f"{digest[:_DIGITS]}-{form}") / "data.arrow"


def _folder(name: str) -> Path:
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE) / "kbtools" / f"{name}-{FORMAT}"
