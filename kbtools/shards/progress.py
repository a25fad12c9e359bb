"""How far shards are: each worker says it in a small file of the scratch folder, which the driver reads now and then.

So every kind of engine shows the same, and nothing that depends on it: a file that is late or lost costs a bar its
smoothness, and no row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kbtools.data.table import on_rows

SECONDS = 1.0
"""Between two looks, and between two words."""


def progress_file(scratch: Path, key: str) -> Path:
    """Where a shard's worker says how far it is."""
    return scratch / "progress" / key


@dataclass
class ShardProgress:
    """A worker's part: rows that went through all stages, those half way counted as half."""

    file: Path
    rows: int
    stages: int
    _told: float = field(default_factory=time.monotonic)

    @contextmanager
    def of_stage(self, number: int, rows: int) -> Iterator[None]:
        """In the body, this stage works on so many rows; it may read them several times, and each counts once."""
        seen = 0

        def advanced(count: int) -> None:
            nonlocal seen
            seen = min(seen + count, rows)
            self._tell(number + seen / max(rows, 1))

        token = on_rows.set(advanced)
        try:
            yield
        finally:
            on_rows.reset(token)

    def _tell(self, stages: float) -> None:
        if time.monotonic() - self._told < SECONDS:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(str(int(self.rows * stages / self.stages)))
        self._told = time.monotonic()


@dataclass
class Watched:
    """The driver's part: what was last known of each shard that is under way."""

    _known: dict[Path, int] = field(default_factory=dict)
    _looked: float = field(default_factory=time.monotonic)

    def news(self, files: Iterator[Path]) -> int:
        """Rows that came since the last look; a shard that was begun again says nothing until it is further."""
        if time.monotonic() - self._looked < SECONDS:
            return 0
        self._looked = time.monotonic()
        return sum(self._more(file) for file in files)

    def rest(self, file: Path, rows: int) -> int:
        """Rows of a shard that is finished now of which nothing was said; its file is removed."""
        file.unlink(missing_ok=True)
        return rows - self._known.pop(file, 0)

    def _more(self, file: Path) -> int:
        before, now = self._known.get(file, 0), 0
        with suppress(FileNotFoundError):  # it is finished, or nothing is known yet
            now = int(file.read_text() or 0)  # empty while it is being written
        self._known[file] = max(before, now)
        return max(now - before, 0)
