"""The shard contract: row-wise stages over a range of rows, as a task that any worker can do, once.

A shard's `key` covers its rows, its range and the fingerprints of its stages. What came of it is one folder under that
key, renamed when it is whole: the rows, the rows that were left out, and a manifest. `plan` says which stages go
together and over which ranges, `task` is what a worker is told, `inputs` and `places` where its rows come from, `work`
does it, `progress` says how far it is, `manifest` is what came of it, and `merge` puts the shards together. Who does
the work is in `kbtools.engines`.
"""

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
from kbtools.shards.work import work as work
