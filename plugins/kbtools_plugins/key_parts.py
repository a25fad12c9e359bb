"""Rows by their keys in parts, of which one at a time is in memory: every key has all of its rows in one part.

Rows are written to files of the cache as they are read, by a digest of their key; the files are gone when the work on
the parts is done. A key with more rows than a part takes more memory than that.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.io.arrow_file import cache_error
from kbtools.data.io.source import aside

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

PART_ROWS = 500_000
"""Rows of a part, about."""
MOST_PARTS = 500
"""Each is an open file."""


@contextmanager
def in_parts(frames: Iterator[pl.DataFrame], rows: int, keys: Sequence[str]) -> Iterator[Iterator[pl.DataFrame]]:
    """The rows of these frames, so many in all, in parts; each in the order in which its rows came."""
    import polars as pl

    count = min(-(-rows // PART_ROWS), MOST_PARTS)
    if count <= 1:
        yield iter([pl.concat(frames)])
        return
    folder = aside(_cache() / "keys")
    try:
        folder.mkdir()
        files = [folder / f"{number}.arrow" for number in range(count)]
        try:
            _write(frames, files, keys)
        except OSError as error:
            raise cache_error(_cache(), error) from error
        yield (_read(file) for file in files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cache() -> Path:
    import datasets

    folder = Path(datasets.config.HF_DATASETS_CACHE) / "kbtools"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(frames: Iterator[pl.DataFrame], files: Sequence[Path], keys: Sequence[str]) -> None:
    import polars as pl
    import pyarrow as pa

    writers: list[pa.RecordBatchStreamWriter] = []
    with ExitStack() as opened:
        for frame in frames:
            numbered = frame.with_columns(part=_part(keys) % len(files))
            parts = numbered.partition_by("part", as_dict=True, include_key=False, maintain_order=True)
            for (part,), some in parts.items():
                table = some.to_arrow(compat_level=pl.CompatLevel.oldest())
                while len(writers) < len(files):
                    writers.append(opened.enter_context(pa.ipc.new_stream(str(files[len(writers)]), table.schema)))
                writers[part].write_table(table)


def _part(keys: Sequence[str]) -> pl.Expr:
    """A number that equal keys have in common; a row without a whole key goes anywhere."""
    import polars as pl
    import polars.selectors as cs

    named = cs.by_name(*keys)
    key = pl.struct((named & cs.float()).as_expr() + 0.0, named - cs.float())  # -0.0 is 0.0
    return pl.when(pl.any_horizontal(pl.col(*keys).is_null())).then(pl.col("row").hash()).otherwise(key.hash())


def _read(file: Path) -> pl.DataFrame:
    import polars as pl
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        found = pl.from_arrow(pa.ipc.open_stream(source).read_all())
    assert isinstance(found, pl.DataFrame), "a table is a frame"
    return found
