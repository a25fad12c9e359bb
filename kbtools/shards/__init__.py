"""The shard contract: row-wise stages over a range of rows, as a task that any worker can do, once.

A shard's `key` covers its rows, its range and the fingerprints of its stages. What came of it is one folder under that
key, renamed when it is whole: the rows, the rows that were left out, and a manifest. `plan` says which stages go
together and over which ranges, `task` is what a worker is told, `inputs` and `places` where its rows come from,
`worker` does it, `progress` says how far it is, `manifest` is what came of it, and `merge` puts the shards together.
Who does the work is in `kbtools.engines`.

Imported on first use: most runs have no workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools import imported_on_demand

if TYPE_CHECKING:
    from kbtools.shards.inputs import INPUTS as INPUTS
    from kbtools.shards.inputs import Inputs as Inputs
    from kbtools.shards.inputs import LoadedInput as LoadedInput
    from kbtools.shards.inputs import inputs_of as inputs_of
    from kbtools.shards.inputs import pinned as pinned
    from kbtools.shards.manifest import Manifest as Manifest
    from kbtools.shards.manifest import finished as finished
    from kbtools.shards.merge import StageOutcome as StageOutcome
    from kbtools.shards.merge import merged as merged
    from kbtools.shards.merge import placed as placed
    from kbtools.shards.merge import rows_before as rows_before
    from kbtools.shards.plan import Segment as Segment
    from kbtools.shards.plan import ranges as ranges
    from kbtools.shards.plan import segments as segments
    from kbtools.shards.progress import Watched as Watched
    from kbtools.shards.progress import progress_file as progress_file
    from kbtools.shards.row_names import filled as filled
    from kbtools.shards.task import Rows as Rows
    from kbtools.shards.task import ShardTask as ShardTask
    from kbtools.shards.task import key_of as key_of
    from kbtools.shards.unfinished import clear as clear
    from kbtools.shards.worker import work as work

_HOME = {
    "INPUTS": ".inputs",
    "Inputs": ".inputs",
    "LoadedInput": ".inputs",
    "inputs_of": ".inputs",
    "pinned": ".inputs",
    "Manifest": ".manifest",
    "finished": ".manifest",
    "StageOutcome": ".merge",
    "merged": ".merge",
    "placed": ".merge",
    "rows_before": ".merge",
    "Segment": ".plan",
    "ranges": ".plan",
    "segments": ".plan",
    "Watched": ".progress",
    "progress_file": ".progress",
    "filled": ".row_names",
    "Rows": ".task",
    "ShardTask": ".task",
    "key_of": ".task",
    "clear": ".unfinished",
    "work": ".worker",
}
"""Module of every name above."""

if not TYPE_CHECKING:
    __getattr__ = imported_on_demand(__name__, _HOME)
