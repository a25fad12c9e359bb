"""The pipeline: chains of stages from a source to a result, checked, watched and recorded.

`chain` runs stages, `rehearsal` says what a run would do, `entries` writes stages into recipes and reads them,
`files` loads and saves with the lineage, `watching` is how a run is observed.
"""

from kbtools.pipeline.chain import Run as Run
from kbtools.pipeline.chain import apply as apply
from kbtools.pipeline.chain import count as count
from kbtools.pipeline.chain import preflight as preflight
from kbtools.pipeline.chain import run as run
from kbtools.pipeline.dry_run import PlannedStage as PlannedStage
from kbtools.pipeline.dry_run import plan as plan
from kbtools.pipeline.files import again as again
from kbtools.pipeline.files import load as load
from kbtools.pipeline.files import load_source as load_source
from kbtools.pipeline.files import save as save
from kbtools.pipeline.files import save_dropped as save_dropped
from kbtools.pipeline.files import save_lineage as save_lineage
from kbtools.pipeline.observers import Bars as Bars
from kbtools.pipeline.observers import Observer as Observer
from kbtools.pipeline.serialization import build as build
from kbtools.pipeline.serialization import entry as entry
from kbtools.pipeline.serialization import make as make
