"""Datasets in and out together with their lineage; how bytes become rows and rows bytes is in `kbtools.data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kbtools import lineage as lineages
from kbtools.data.io import load as loading
from kbtools.data.io import save as saving
from kbtools.data.io.source import Source, local_path
from kbtools.errors import UsageError, explain
from kbtools.lineage import Lineage, Recipe
from kbtools.pipeline import given
from kbtools.spelling import door

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

    from kbtools.pipeline.chain import ChainResult
    from kbtools.result import Drop


@door
def load(
    dataset: str | Path,
    *,
    split: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    limit: int | None = None,
) -> Dataset | DatasetDict:
    """A dataset from a Hub id, a file (parquet, jsonl, csv), a `save_to_disk` folder, or `"sample"`; kept on disk.

    The source, with the resolved commit or the digest of the file, is the start of its lineage. A lineage on the Hub
    (`hf://datasets/me/x/kbtools-lineage.json`) is run again from its source, and gives the same rows.
    """
    dataset = str(dataset) if isinstance(dataset, Path) else dataset
    try:
        source = Source(dataset=dataset, split=split, config=config, revision=revision, limit=limit)
    except ValidationError as error:
        raise UsageError(f"loading {dataset!r}: {explain(error, Source)}") from None
    if dataset.startswith("hf://") and dataset.endswith(".json"):
        if source != Source(dataset=dataset):
            raise UsageError(f"{dataset} says itself what was loaded: leave split, config, revision and limit out.")
        return again(lineages.read_hub(dataset))
    return load_source(source)


def again(recipe: Recipe) -> Dataset | DatasetDict:
    """The result of a recipe or of the run that a lineage describes, from its source."""
    from kbtools.pipeline.chain import run
    from kbtools.pipeline.serialization import build

    if recipe.source is None:
        raise UsageError("the recipe has no source, so it cannot be run from it.")
    return run(load_source(recipe.source), build(recipe)).dataset


def load_source(source: Source) -> Dataset | DatasetDict:
    """As `load`, from a description."""
    data, found = loading.read_source(source)
    lineages.attach(data, Lineage(source=found, versions=lineages.versions()))
    return data


@door
def save(data: Dataset | DatasetDict, path: str | Path) -> list[Path]:
    """Write a dataset as parquet, jsonl or a folder, as the name says, with its lineage; returns the files.

    Every file is written aside and renamed when whole. The lineage goes beside the output as NAME.lineage.json.
    """
    data, target = given.dataset(data, "save"), local_path(path)
    splits = {name: ds.num_rows for name, ds in data.items()} if isinstance(data, dict) else None
    files = saving.write(data, target, lineages.of(data).embedded())
    return [*files, save_lineage(data, saving.lineage_file(target), lineages.Output(out=str(path), splits=splits))]


def save_lineage(data: Dataset | DatasetDict, path: Path, output: lineages.Output | None = None) -> Path:
    """Write only how a dataset was made and what its stages found, as JSON."""
    full = lineages.of(data).model_copy(update={"output": output})
    path.parent.mkdir(parents=True, exist_ok=True)
    saving.write_text(path, full.model_dump_json(indent=1, exclude_none=True) + "\n")
    return path


def save_dropped(done: ChainResult, path: Path) -> Path:
    """Write every row that was left out, as its stage received it, with `dropped_by` and `reason`."""
    import datasets
    import pyarrow as pa

    parts = [_labelled(stage, drop) for stage, drop in done.dropped if drop.rows.num_rows]
    labels = pa.schema([("dropped_by", pa.string()), ("reason", pa.string())])
    try:
        table = pa.concat_tables(parts, promote_options="permissive") if parts else labels.empty_table()
    except pa.ArrowException as error:
        raise UsageError(f"--dropped {path}: stages changed a column's type between two drops ({error}).") from error
    saving.write(datasets.Dataset(table.replace_schema_metadata(None)), path, "")
    save_lineage(done.dataset, saving.lineage_file(path), lineages.Output(out=str(path)))
    return path


def _labelled(stage: str, drop: Drop) -> pa.Table:
    import pyarrow as pa

    table = drop.rows.with_format("arrow")[:]
    names = [pa.array([stage] * table.num_rows, pa.string()), pa.array([drop.reason] * table.num_rows, pa.string())]
    return table.append_column("dropped_by", names[0]).append_column("reason", names[1])
