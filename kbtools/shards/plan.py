"""Which stages of a chain are one task, and over which ranges of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from kbtools.stage import Stage

_MOST_ROWS = 2_000
_FEWEST_ROWS = 64
_PARTS = 16
_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Segment:
    """Consecutive stages of a chain that run together."""

    first: int
    """Position of the first one in the chain, from 1."""
    stages: tuple[Stage, ...]
    sharded: bool
    """Whether workers run them, shard by shard; otherwise the driver does, on all rows."""


def segments(stages: Sequence[Stage]) -> list[Segment]:
    """The chain in pieces: every run of row-wise stages for workers, every other stage alone.

    A stage that costs no more than reading its rows, such as a filter, stays with the driver at the start of a run:
    what it leaves out then never travels.
    """
    found: list[Segment] = []
    numbered = list(enumerate(stages, start=1))
    for for_workers, group in groupby(numbered, key=lambda item: _for_workers(item[1])):
        run = list(group)
        while run and (not for_workers or run[0][1].placement == "either"):
            position, stage = run.pop(0)
            found.append(Segment(position, (stage,), sharded=False))
        if run:
            found.append(Segment(run[0][0], tuple(stage for _, stage in run), sharded=True))
    return found


def _for_workers(stage: Stage) -> bool:
    """Whether a stage may see its rows in parts, wherever those are."""
    own = type(stage).transform_splits is not Stage.transform_splits or type(stage).run is not Stage.run
    return stage.scope == "row" and not own and stage.placement != "driver" and not stage.only_reads()


def ranges(rows: int, nbytes: int, shards: int | None) -> list[range]:
    """The rows cut into parts, as many as were asked for; else as their number and size say, whoever works on them.

    So a run that goes on with other workers finds the shards of the one before.
    """
    if shards is None:
        size = min(max(rows // _PARTS, _FEWEST_ROWS), _MOST_ROWS, max(1, _MOST_BYTES * rows // max(nbytes, 1)))
        return [range(start, min(start + size, rows)) for start in range(0, rows, size)] or [range(0)]
    parts = max(1, min(shards, rows))
    return [range(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]
