"""The pipeline: chains of stages from a source to a result, checked, watched and recorded.

`chain` runs stages, `dry_run` says what a run would do, `serialization` writes stages into recipes and reads them,
`files` loads and saves with the lineage, `observers` is how a run is watched.

Imported on first use: to load and show rows takes none of what asks a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools import imported_on_demand

if TYPE_CHECKING:
    from kbtools.pipeline.chain import ChainResult as ChainResult
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
    from kbtools.pipeline.observers import Observer as Observer
    from kbtools.pipeline.observers import ProgressBars as ProgressBars
    from kbtools.pipeline.serialization import build as build
    from kbtools.pipeline.serialization import entry as entry
    from kbtools.pipeline.serialization import make as make

_HOME = {
    "ChainResult": ".chain",
    "apply": ".chain",
    "count": ".chain",
    "preflight": ".chain",
    "run": ".chain",
    "PlannedStage": ".dry_run",
    "plan": ".dry_run",
    "again": ".files",
    "load": ".files",
    "load_source": ".files",
    "save": ".files",
    "save_dropped": ".files",
    "save_lineage": ".files",
    "ProgressBars": ".observers",
    "Observer": ".observers",
    "build": ".serialization",
    "entry": ".serialization",
    "make": ".serialization",
}
"""Module of every name above."""

if not TYPE_CHECKING:
    __getattr__ = imported_on_demand(__name__, _HOME)
