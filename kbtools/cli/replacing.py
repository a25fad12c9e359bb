"""Files that a run would replace: only those that were made from the same inputs, unless `--overwrite` is given."""

from __future__ import annotations

from pathlib import Path

from kbtools import lineage as lineages
from kbtools.data.hub import datasets as from_hub
from kbtools.data.io import save as saving
from kbtools.data.io import text_file
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import rows_text
from kbtools.errors import DataError, UsageError
from kbtools.lineage import Lineage


def check_output(path: Path, source: Source, *, overwrite: bool) -> list[str]:
    """What will be replaced, in words; UsageError for a file that was made of something else than this source."""
    there = [file for file in saving.files_of(path) if file.is_file() or _holds_anything(file)]
    if not there:
        return []
    made = _lineage(path, there[-1])
    if made is not None and made.source is not None and _same(made.source, source):
        return [f"replaces {path}{_written(made)}"]
    of = f"was made from {_named(made.source)}" if made and made.source else "was not made by kbtools from this dataset"
    if not overwrite:
        raise UsageError(f"{path} exists and {of}: give another name with --out, or replace it with --overwrite.")
    return [f"warning: replaces {path}, which {of} (--overwrite)"]


def check_recipe(name: str, text: str, *, overwrite: bool) -> None:
    """UsageError for a name that is none of a recipe, or that another recipe has."""
    if not name.endswith(".toml"):
        raise UsageError(f"--save-recipe {name}: the name of a recipe ends in .toml.")
    path = local_path(name)
    if path.is_file() and not overwrite and text_file.read_text(path, "recipe") != text:
        raise UsageError(f"--save-recipe {name}: another recipe has this name. Give another, or say --overwrite.")


def _holds_anything(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def _lineage(path: Path, file: Path) -> Lineage | None:
    """How what is there was made; None where it does not say."""
    for place in (path, file):
        try:
            return lineages.read_lineage(place)
        except (DataError, UsageError):
            continue
    return None


def _same(made: Source, source: Source) -> bool:
    """Whether both mean the same rows, at whatever time they were read."""
    made, source = (from_hub.plain(one) if from_hub.is_on_hub(one) else one for one in (made, source))
    if (made.config, made.split, made.limit) != (source.config, source.split, source.limit):
        return False
    return made.dataset == source.dataset or local_path(made.dataset).resolve() == local_path(source.dataset).resolve()


def _named(source: Source) -> str:
    return source.dataset if source.limit is None else f"the first {rows_text(source.limit)} of {source.dataset}"


def _written(made: Lineage) -> str:
    said = [rows_text(made.records[-1].rows_out)] if made.records else []
    said += [f"of {made.created}"] if made.created else []
    return f" ({', '.join(said)})" if said else ""
