"""A run as the command line does it: from a recipe and the options of the run to files, a push and an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from kbtools import engines, pipeline, publish
from kbtools.cli.pushing import with_push
from kbtools.cli.replacing import check_output, check_recipe
from kbtools.cli.ui import views
from kbtools.cli.ui.stdout import heard_or_not
from kbtools.data.io import load as loading
from kbtools.data.io import own_files
from kbtools.data.io import save as saving
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import rows_text
from kbtools.engines import Processes, Ray
from kbtools.errors import ConfigError, KbError, Missing, UsageError, option
from kbtools.lineage import Output, Recipe, limited_name
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from kbtools.publish import Together


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
    overwrite: bool = False
    dry_run: bool = False
    quiet: bool = False
    json_output: bool = False
    offline: bool = False
    push: bool = False
    push_fields: dict[str, Any] = {}
    no_dataset: str = "no dataset: give --dataset NAME (`--dataset sample` needs no network), or set DATASET_PATH."
    """How a missing dataset is given."""


def source_of(options: RunOptions, base: Source | None = None) -> Source | None:
    """What to load: the options first, then the recipe, then the environment; None where none of them says it."""
    dataset = options.dataset or (base.dataset if base else None) or os.environ.get("DATASET_PATH")
    if not dataset:
        return None
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
    """Whether TEST_MODE asks for a few rows; a value that may mean either is not a licence to pay for all of them."""
    value = os.environ.get("TEST_MODE", "").strip().lower()
    if value not in ("", "true", "1", "yes", "on", "false", "0", "no", "off"):
        raise ConfigError(f"TEST_MODE is {value!r}: set it to true (only 5 rows of each split) or false (all of them).")
    return value in ("true", "1", "yes", "on")


def execute(recipe: Recipe, options: RunOptions) -> int:
    """Check, load, run, write or push, and say what came of it; the exit code. Its stages came as options."""
    return execute_all([recipe], options, option)


def execute_all(recipes: Sequence[Recipe], options: RunOptions, spell: Callable[[str], str] | None = None) -> int:
    """As `execute`, one after the other, once all of them are known to be sound: every target, every right to write.

    `spell` writes the fields of their stages as the user did.
    """
    with own_files.replacing(foreign=options.overwrite):
        with publish.together() as pushes:
            prepared = [_prepared(recipe, options, pushes, spell) for recipe in recipes]
        return max(_executed(one, options) for one in prepared)


@dataclass(frozen=True)
class _Prepared:
    """A run that is known to be sound, before its rows are loaded."""

    recipe: Recipe
    source: Source
    stages: Sequence[Stage]
    target: Path | None
    view: views.View
    pushes: tuple[publish.PushPlan, ...]
    """Where it pushes to, in the order of its stages."""
    awaited: bool
    """The source is what an earlier recipe of the same command pushes."""

    @property
    def only_figures(self) -> bool:
        """Whether no rows are written, but what the stages found."""
        return _only_read(self.stages) and self.target is not None and self.target.suffix == ".json"


def _prepared(recipe: Recipe, options: RunOptions, pushes: Together, spell: Callable[[str], str] | None) -> _Prepared:
    """Check what can be checked without the rows, and say what will be replaced and where the rows will go."""
    recipe = with_push(recipe, options.push, options.push_fields, overwrite=options.overwrite)
    stages = pipeline.build(recipe, spell)
    if recipe.source is None:
        raise _without_dataset(stages, options)
    earlier = pushes.names.get(recipe.source.dataset)
    source = recipe.source.model_copy(update={"dataset": earlier}) if earlier else recipe.source
    recipe = recipe.model_copy(update={"source": source})
    view = views.view(len(stages), quiet=options.quiet, json_output=options.json_output)
    target, known = _target(recipe, stages, options), len(pushes.plans)
    prepared = _Prepared(recipe, source, stages, target, view, (), earlier is not None)
    for line in _checked_targets(prepared, options):
        view.say(line)
    for line in pipeline.preflight(Recipe(source=source), stages):
        view.say(line)
    if options.save_recipe:
        saving.write_text(local_path(options.save_recipe), recipe.to_toml())
    return replace(prepared, pushes=tuple(pushes.plans.values())[known:])


def _without_dataset(stages: Sequence[Stage], options: RunOptions) -> KbError:
    """That there is no dataset, with all else that is known to be missing; the rest depends on the dataset."""
    needs: tuple[str, ...] = ()
    try:
        pipeline.preflight(Recipe(source=None), stages)
    except Missing as error:
        needs = error.needs
    except KbError:
        return UsageError(options.no_dataset)
    return Missing(options.no_dataset, *needs) if needs else UsageError(options.no_dataset)


def _executed(run: _Prepared, options: RunOptions) -> int:
    with engines.opened(None if options.dry_run else run.recipe.engine, run.view.say):
        return _planned(run, options) if options.dry_run else _run(run, options)


def _planned(run: _Prepared, options: RunOptions) -> int:
    """A dry run, as far as the rows are there."""
    if run.awaited and not publish.exists(run.source.dataset):
        run.view.say(
            f"{run.source.dataset} is what an earlier recipe of this run would push: its rows are not there yet"
        )
        run.view.planned([], [plan.text() for plan in run.pushes], str(run.target or ""))
        return 0
    run.view.say(_loading(run.source, options))
    data = pipeline.load_source(run.source)
    steps = pipeline.plan(data, run.stages)
    reached = [step.rows for step in steps if step.stage == "push"]
    places = [plan.text(rows) for plan, rows in zip(run.pushes, reached, strict=True)]
    run.view.planned(steps, places, str(run.target or "nothing here: the result is pushed"))
    return 0


def _run(run: _Prepared, options: RunOptions) -> int:
    """Load, run, write or push."""
    run.view.say(_loading(run.source, options))
    data = pipeline.load_source(run.source)
    with run.view as view:
        done = pipeline.run(data, run.stages, view, preflighted=True)
        files = _saved(done.dataset, run, overwrite=options.overwrite)
        if run.only_figures:
            view.say("these stages leave the rows as they are, so only their figures are written (--out writes rows)")
        if options.dropped:
            pipeline.save_dropped(done, local_path(options.dropped))
    with heard_or_not():
        view.finished_all(done, files, local_path(options.dropped) if options.dropped else None)
    return 1 if done.failed else 0


def _loading(source: Source, options: RunOptions) -> str:
    """What is loaded; that it is not all of it where the command line does not say so."""
    if source.limit is None or options.limit is not None:
        return f"loading {source.dataset}"
    return f"loading {source.dataset}, of each split only the first {rows_text(source.limit)}"


def _saved(data: Dataset | DatasetDict, run: _Prepared, *, overwrite: bool) -> list[Path]:
    if run.target is None:
        return []
    if run.only_figures:
        return [pipeline.save_lineage(data, run.target)]
    for name in data if isinstance(data, dict) else ():  # splits, of which the names are known only now
        check_output(saving.split_file(run.target, name), run.source, overwrite=overwrite)
    return pipeline.save(data, run.target)


def _only_read(stages: Sequence[Stage]) -> bool:
    return bool(stages) and all(stage.only_reads() for stage in stages)


def _checked_targets(run: _Prepared, options: RunOptions) -> list[str]:
    """What will be replaced; UsageError for a name that cannot or must not be written, before any work is done."""
    if options.out == "":
        raise UsageError("--out is empty: give a name, or leave the option out.")
    dropped = local_path(options.dropped) if options.dropped else None
    named = [path for path in (run.target, dropped) if path]
    for path in named if not run.only_figures else named[1:]:
        if any(_replaced(file, path, run.stages) for file in loading.local_sources(run.source.dataset)):
            raise UsageError(f"{path}: the dataset is read from there, and could not be read again; give another name.")
        saving.check_target(path)
    if dropped and run.target and dropped.resolve() == run.target.resolve():
        raise UsageError(f"--dropped {options.dropped}: the result itself goes there; give another name.")
    if options.save_recipe is not None:
        check_recipe(options.save_recipe, run.recipe.to_toml(), overwrite=options.overwrite)
    return [line for path in named for line in check_output(path, run.source, overwrite=options.overwrite)]


def _replaced(file: Path, target: Path, stages: Sequence[Stage]) -> bool:
    """Whether a run that writes to `target` could write over a file, itself, in a folder or as one of the splits."""
    makes_splits = any(type(stage).transform_splits is not Stage.transform_splits for stage in stages)
    return file.resolve().is_relative_to(target.resolve()) or (makes_splits and saving.may_be_split(file, target))


def _target(recipe: Recipe, stages: Sequence[Stage], options: RunOptions) -> Path | None:
    """Where the result goes: as told, or outputs/<dataset>-<suffixes>.parquet; nowhere when it is pushed.

    Figures alone go to a .json file.
    """
    output = recipe.output or Output()
    if options.out:
        return local_path(options.out)
    if output.out:
        return _limited(local_path(output.out), recipe.source)
    if any(stage.name == "push" for stage in stages):
        return None
    if _only_read(stages):
        name = recipe.source.short_name if recipe.source else "dataset"
        figures = Path("outputs") / f"{'-'.join([name, *dict.fromkeys(stage.name for stage in stages)])}.json"
        return _limited(figures, recipe.source)
    return Path("outputs") / f"{recipe.result_name()}.parquet"


def _limited(path: Path, source: Source | None) -> Path:
    """The name of a result of the first rows only, which is never that of the whole."""
    stem, dot, ending = path.name.partition(".")
    return path.with_name(limited_name(stem, source.limit if source else None) + dot + ending)
