"""Where the rows of a dataset are, as rows of files that others see: what the driver only picks, it never copies.

Stages that keep or order rows give views of the files that they got. A worker is told the files and the numbers of its
rows, and gathers them itself; the driver has read no more than the columns by which it chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset

FILE, ROW = "file", "row"
_KEEPS_VALUES = frozenset({"replace_schema_metadata", "slice", "drop", "select"})
"""What `datasets` may have done to a file's table, so that its columns are still the file's."""


@dataclass(frozen=True)
class ArrowPiece:
    """Consecutive rows of an Arrow file."""

    path: Path
    start: int
    rows: int


def pieces(ds: Dataset) -> list[ArrowPiece] | None:
    """Files whose rows, one after the other, are the table under a dataset; None where some are in no file."""
    from datasets.table import ConcatenationTable

    blocks = ds.data.blocks if isinstance(ds.data, ConcatenationTable) else [[ds.data]]
    found = [_piece([block for block in row if block.num_columns]) for row in blocks]
    return None if None in found else [piece for piece in found if piece is not None]


def _piece(side_by_side: Sequence[object]) -> ArrowPiece | None:
    from datasets.table import MemoryMappedTable

    if len(side_by_side) != 1 or not isinstance(side_by_side[0], MemoryMappedTable):
        return None
    table = side_by_side[0]
    done = table.replays or []
    if not {name for name, _, _ in done} <= _KEEPS_VALUES:
        return None
    start = sum(args[0] for name, args, _ in done if name == "slice")
    return ArrowPiece(Path(table.path), start, table.num_rows)


class RowPlaces:
    """For each row of a dataset: which piece it is in, and its number in that piece's file."""

    def __init__(self, ds: Dataset, found: Sequence[ArrowPiece]) -> None:
        import numpy as np

        self.found = found
        self._rows = ds.num_rows
        self._indices = None if ds._indices is None else ds._indices.column(0)
        self._ends = np.cumsum([piece.rows for piece in found], dtype=np.int64)
        self._shift = np.array([piece.start + piece.rows for piece in found], dtype=np.int64) - self._ends

    def used(self) -> list[int]:
        """The pieces that have rows of the dataset."""
        import numpy as np

        return [int(piece) for piece in np.unique(self.of(range(self._rows))[0])]

    def of(self, part: range) -> tuple[np.ndarray, np.ndarray]:
        """The pieces and numbers of consecutive rows."""
        import numpy as np

        rows = np.arange(part.start, part.stop, dtype=np.int64)
        if self._indices is not None:
            rows = self._indices.slice(part.start, len(part)).to_numpy().astype(np.int64)
        piece = np.searchsorted(self._ends, rows, side="right")
        return piece, rows + self._shift[piece]


def table_of(files: Sequence[str], piece: np.ndarray, numbers: np.ndarray) -> pa.Table:
    """Rows as the names of their files and their numbers there; files that have none of them are not named."""
    import numpy as np
    import pyarrow as pa

    used, index = np.unique(piece, return_inverse=True)
    names = pa.array([files[one] for one in used], pa.string())
    return pa.table({FILE: pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), names), ROW: numbers})


def gathered(scratch: Path, told: pa.Table, columns: Sequence[str]) -> Dataset:
    """The rows that `table_of` has told, from files below the scratch folder."""
    import datasets
    import numpy as np

    names = told.column(FILE).combine_chunks()
    parts = [datasets.Dataset.from_file(str(scratch / name)).select_columns(list(columns))
             for name in names.dictionary.to_pylist()]  # fmt: skip
    starts = np.cumsum([0, *(part.num_rows for part in parts[:-1])])
    rows = starts[names.indices.to_numpy()] + told.column(ROW).to_numpy()
    return datasets.concatenate_datasets(parts).select(rows)
