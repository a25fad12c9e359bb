"""The rows of a view gathered in pieces: many at a time, since each piece looks into every chunk that has some of them.

`datasets` fetches them one by one, and pyarrow's `take` first copies all the chunks that there are into one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset

_PIECE_BYTES = 1 << 24


def rows_within(whole: pa.Table, rows: int, of: int | None = None) -> int:
    """So many rows, or fewer where they are long; of a table that was made of others, so many `of` those."""
    as_many: int = _PIECE_BYTES * (whole.num_rows if of is None else of) // max(whole.nbytes, 1)
    return max(1, min(rows, as_many))


def pieces(ds: Dataset, whole: pa.Table, rows: int) -> Iterator[pa.Table]:
    """The dataset's rows of a table that has all of those under it."""
    import numpy as np

    if ds._indices is None:
        for start in range(0, ds.num_rows, rows):
            yield whole.slice(start, rows)
        return
    chunks = whole.to_batches()
    ends = np.cumsum([chunk.num_rows for chunk in chunks])
    indices = ds._indices.column(0).to_numpy()
    for start in range(0, ds.num_rows, rows):
        yield _gather(chunks, ends, indices[start : start + rows])


def _gather(chunks: Sequence[pa.RecordBatch], ends: np.ndarray, indices: np.ndarray) -> pa.Table:
    """The rows at these indices, in this order, from chunks that end before the rows `ends`."""
    import numpy as np
    import pyarrow as pa

    order = np.argsort(indices, kind="stable")
    ascending = indices[order].astype(np.int64)
    chunk_of = np.searchsorted(ends, ascending, side="right")
    starts = np.flatnonzero(np.diff(chunk_of, prepend=-1))
    parts = []
    for some in np.split(np.arange(len(ascending)), starts[1:]):
        chunk = chunks[chunk_of[some[0]]]
        parts.append(chunk.take(pa.array(ascending[some] - (ends[chunk_of[some[0]]] - chunk.num_rows))))
    gathered = pa.Table.from_batches(parts).combine_chunks()
    return gathered if (np.diff(order) == 1).all() else gathered.take(pa.array(np.argsort(order)))
