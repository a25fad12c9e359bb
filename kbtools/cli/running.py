"""A run as the command line does it: from a recipe and the options of the run to files, a push and an exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from kbtools import engines, pipeline
from kbtools.cli.pushing import with_push
from kbtools.cli.ui import views
from kbtools.cli.ui.stdout import heard_or_not
from kbtools.data.io import load as loading
from kbtools.data.io import save as saving
from kbtools.data.io.source import Source, local_path
from kbtools.engines import Processes, Ray
from kbtools.errors import ConfigError, UsageError
from kbtools.lineage import Output, Recipe
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class RunOptions(BaseModel):
    """Options of the run as they were given; None means not given."""

    model_config = ConfigDict(frozen=True)

    dataset: str | None = None
    split: str | None = None
    config: str | None = None
    revision: str | None = None
    limit: int | None = None
    columns: dict[str, str] = {}
    seed: int | None = None
    out: str | None = None
    dropped: str | None = None
    save_recipe: str | None = None
    engine: str | None = None
    scratch: str | None = None
    shards: int | None = None
    dry_run: bool = False
    quiet: bool = False
    json_output: bool = False
    offline: bool = False
    push: bool = False
    push_fields: dict[str, Any] = {}


def source_of(options: RunOptions, base: Source | None = None) -> Source:
    """What to load: the options first, then the recipe, then the environment."""
    dataset = options.dataset or (base.dataset if base else None) or os.environ.get("DATASET_PATH")
    if not dataset:
        raise UsageError("no dataset: give --dataset NAME (`--dataset sample` needs no network) or set DATASET_PATH.")
    given_ = options.model_dump(include={"split", "config", "revision", "limit"}, exclude_none=True)
    if options.limit is None and _test_mode():
        given_["limit"] = 5
    kept = base.model_dump(exclude_none=True) if base and base.dataset == dataset else {}
    return Source(**{**kept, "dataset": dataset, **given_})


def engine_of(options: RunOptions, base: Processes | Ray | None = None) -> Processes | Ray | None:
    """Who runs the row-wise stages: the options first, then the recipe."""
    if options.engine is not None:
        return engines.parse(options.engine, options.scratch, options.shards)
    given_ = options.model_dump(include={"scratch", "shards"}, exclude_none=True)
    if given_ and base is None:
        named = " and ".join(f"--{name}" for name in given_)
        raise UsageError(f"{named}: only engines have use for it. Give --engine processes or --engine ray, too.")
    return base.model_copy(update=given_) if base else None


def _test_mode() -> bool:
    """Whether TEST_MODE asks for a few rows; a value that may mean either is no licence to pay for all of them."""
    value = os.environ.get("TEST_MODE", "").strip().lower()
    if value not in ("", "true", "1", "yes", "on", "false", "0", "no", "off"):
        raise ConfigError(f"TEST_MODE is {value!r}: set it to true (only 5 rows of each split) or false (all of them).")
    return value in ("true", "1", "yes", "on")


def execute(recipe: Recipe, options: RunOptions) -> int:
    """Check, load, run, write or push, and say what came of it; the exit code."""
    recipe = with_push(recipe, options.push, options.push_fields)
    stages = pipeline.build(recipe)
    target = _target(recipe, stages, options)
    only_figures = _only_read(stages) and target is not None and target.suffix == ".json"
    if recipe.source is None:
        raise UsageError("the recipe has no source: give --dataset.")
    _check_targets(None if only_figures else target, options, recipe.source, stages)
    if options.save_recipe:
        saving.write_text(local_path(options.save_recipe), recipe.to_toml())
    view = views.view(len(stages), quiet=options.quiet, json_output=options.json_output)
    with engines.opened(None if options.dry_run else recipe.engine, view.say):
        return _run(recipe, stages, target, view, options, only_figures=only_figures)


def _run(
    recipe: Recipe,
    stages: Sequence[Stage],
    target: Path | None,
    view: views.View,
    options: RunOptions,
    *,
    only_figures: bool,
) -> int:
    """Load, run, write or push, with what is known to be sound."""
    assert recipe.source is not None, "a recipe without a source is refused before"
    for line in pipeline.preflight(Recipe(source=recipe.source), stages):
        view.say(line)
    view.say(_loading(recipe.source, options))
    data = pipeline.load_source(recipe.source)
    if options.dry_run:
        view.planned(pipeline.plan(data, stages), str(target or "nothing here: the result is pushed"))
        return 0
    with view:
        done = pipeline.run(data, stages, view, preflighted=True)
        files = _saved(done.dataset, target, only_figures=only_figures)
        if only_figures:
            view.say("these stages leave the rows as they are, so only their figures are written (--out writes rows)")
        if options.dropped:
            pipeline.save_dropped(done, local_path(options.dropped))
    with heard_or_not():
        view.finished_all(done, files, local_path(options.dropped) if options.dropped else None)
    return 1 if done.failed else 0


def _loading(source: Source, options: RunOptions) -> str:
    """What is loaded; that it is not all of it where the command line does not say so."""
    few = source.limit is not None and options.limit is None
    return f"loading {source.dataset}" + (f", of each split only the first {source.limit:,} rows" if few else "")


def _saved(data: Dataset | DatasetDict, target: Path | None, *, only_figures: bool) -> list[Path]:
    if target is None:
        return []
    return [pipeline.save_lineage(data, target)] if only_figures else pipeline.save(data, target)


def _only_read(stages: Sequence[Stage]) -> bool:
    return bool(stages) and all(stage.only_reads() for stage in stages)


def _check_targets(target: Path | None, options: RunOptions, source: Source, stages: Sequence[Stage]) -> None:
    """UsageError for a name that cannot or must not be written, before any work is done."""
    if options.out == "":
        raise UsageError("--out is empty: give a name, or leave the option out.")
    if options.save_recipe is not None and not options.save_recipe.endswith(".toml"):
        raise UsageError(f"--save-recipe {options.save_recipe}: the name of a recipe ends in .toml.")
    named = [path for path in (target, local_path(options.dropped) if options.dropped else None) if path]
    for path in named:
        if any(_replaced(file, path, stages) for file in loading.local_sources(source.dataset)):
            raise UsageError(f"{path}: the dataset is read from there, and could not be read again; give another name.")
    if target:
        saving.check_target(target)
    if options.dropped:
        saving.check_target(local_path(options.dropped))
        if target and local_path(options.dropped).resolve() == target.resolve():
            raise UsageError(f"--dropped {options.dropped}: the result itself goes there; give another name.")


def _replaced(file: Path, target: Path, stages: Sequence[Stage]) -> bool:
    """Whether a run that writes to `target` could write over a file, itself, in a folder or as one of the splits."""
    makes_splits = any(type(stage).transform_splits is not Stage.transform_splits for stage in stages)
    return file.resolve().is_relative_to(target.resolve()) or (makes_splits and saving.may_be_split(file, target))


def _target(recipe: Recipe, stages: Sequence[Stage], options: RunOptions) -> Path | None:
    """Where the result goes: as told, or outputs/<dataset>-<suffixes>.parquet; nowhere when it is pushed.

    Figures alone go to a .json file.
    """
    output = recipe.output or Output()
    named = options.out or output.out
    if named:
        return local_path(named)
    if any(stage.name == "push" for stage in stages):
        return None
    if _only_read(stages):
        name = recipe.source.short_name if recipe.source else "dataset"
        return Path("outputs") / f"{'-'.join([name, *dict.fromkeys(stage.name for stage in stages)])}.json"
    return Path("outputs") / f"{recipe.result_name()}.parquet"
