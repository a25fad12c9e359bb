"""Lineage: what was done to get a dataset, in enough detail to do it again, and with what came of each stage.

A `Recipe` is what to do; a `Lineage` is a recipe that was run, with its records. Both are read by `kbtools run`.
"""

from __future__ import annotations

import importlib.metadata
import platform
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from kbtools.data.hub import client as hub
from kbtools.data.io import text_file, variables
from kbtools.data.io.save import METADATA_KEY, lineage_file
from kbtools.data.io.source import Source, local_path
from kbtools.engines import Engine
from kbtools.errors import DataError, UsageError, did_you_mean, explain
from kbtools.figures import notebook
from kbtools.plugins import registry
from kbtools.spelling import as_python

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_ATTRIBUTE = "_kbtools_lineage"
FORMAT = 1
"""Version of the lineages that are written here; those of a newer one may mean something else."""


class NoLineage(DataError):
    """A file says nothing of how it was made."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Output(_Strict):
    """Where the result goes."""

    out: str | None = None
    """File or folder."""
    splits: dict[str, int] | None = None
    """Rows of each split that was saved."""


class StageRecord(_Strict):
    """What one stage did in one run."""

    stage: str
    distribution: str
    version: str
    rows_in: int
    rows_out: int
    dropped: dict[str, int] = {}
    """Rows left out, by reason."""
    failed: dict[str, int] = {}
    """Rows that could not be processed, by kind of fault."""
    notes: tuple[str, ...] = ()
    prompts: dict[str, str] = {}
    """sha256 of the text of each prompt, by `name@vN`."""
    facts: dict[str, JsonValue] = {}
    seconds: float | None = None
    """Wall time; left out of what is embedded in the data file, so that equal runs give equal bytes."""

    def why(self) -> tuple[str, ...]:
        """How many rows were dropped or failed, and why: a line for each reason, none of them twice."""
        both = self.failed_and_dropped()
        lines = [f"{rows:,} {reason}" for reason, rows in self.dropped.items() if reason not in both]
        lines += [f"{rows:,} failed{' and dropped' * (kind in both)}: {kind}" for kind, rows in self.failed.items()]
        return tuple(lines)

    def failed_and_dropped(self) -> dict[str, int]:
        """Rows that were dropped because they failed, by kind of fault."""
        return {kind: rows for kind, rows in self.failed.items() if self.dropped.get(kind) == rows}


class Recipe(_Strict):
    """What to do: a source, the stages in order, and where the result goes."""

    source: Source | None = None
    seed: int | None = None
    """Seed of every stage that has one and was not given its own."""
    stages: tuple[dict[str, Any], ...] = ()
    """Each stage as its fields, with its name under the key `stage`."""
    output: Output | None = None
    engine: Engine | None = None
    """Who runs the row-wise stages: `kind = "processes"` or `"ray"`, and its options. The rows do not depend on it."""

    def result_name(self) -> str:
        """What the result is called: the source's name and the suffixes of the stages."""
        suffixes = dict.fromkeys(suffix for fields in self.stages if (suffix := _suffix(fields)))
        name = "-".join([self.source.short_name if self.source else "dataset", *suffixes])
        return limited_name(name, self.source.limit if self.source else None)

    def _repr_html_(self) -> str:
        """What a notebook shows: each stage with what it was told."""
        return notebook.page(self._origin(), notebook.numbered("", ("stage", "settings"), self._told()))

    def _origin(self) -> str:
        return f"source: {self.source.dataset}" if self.source else ""

    def _told(self) -> list[tuple[str, str]]:
        """Name and settings of each stage."""
        return [
            (str(fields.get("stage")), notebook.settings({name: fields[name] for name in fields if name != "stage"}))
            for fields in self.stages
        ]

    def to_toml(self) -> str:
        """The recipe as `kbtools run` reads it."""
        data = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return tomli_w.dumps(data, multiline_strings=True)


def limited_name(name: str, limit: int | None) -> str:
    """The name of a result of the first rows only: never that of the whole."""
    mark = f"-first{limit}"
    return name if limit is None or name.endswith(mark) else name + mark


def _suffix(fields: Mapping[str, object]) -> str:
    cls = registry().class_of(fields)
    return cls.suffix if cls else ""


class NamedRecipe(Recipe):
    """One of several recipes of a file."""

    name: str


class _Recipes(_Strict):
    """A file of several recipes, each still with its variables."""

    recipe: tuple[dict[str, Any], ...]


class Lineage(Recipe):
    """A recipe that was run."""

    kbtools_lineage: int = FORMAT
    """Version of this format."""
    records: tuple[StageRecord, ...] = ()
    versions: dict[str, str] = {}
    """Of Python and the packages that shape the result."""
    derived_from_memory: bool = False
    """The rows came from a Python object rather than from a source: the run cannot be repeated from this record."""
    created: str | None = None
    """Time of the run's end, ISO 8601 in UTC."""
    seconds: float | None = None

    def _repr_html_(self) -> str:
        """What a notebook shows: each stage with what it was told, and what came of it."""
        came = ((f"{record.rows_in:,}", f"{record.rows_out:,}", "\n".join(record.why())) for record in self.records)
        told = self._told() or [(record.stage, "") for record in self.records]
        rows = [(*one, *what) for one, what in zip_longest(told, came, fillvalue=("", "", ""))]
        table = notebook.numbered("", ("stage", "settings", "rows in", "rows out", "why"), rows)
        made = f"made {self.created}" if self.created else ""
        notes = [f"{record.stage}: {as_python(note)}" for record in self.records for note in record.notes]
        return notebook.page(self._origin(), *([table] if rows else ["no stage is recorded"]), *notes, made)

    def embedded(self) -> str:
        """The part that is equal for equal runs, as JSON for the data file's own metadata."""
        records = tuple(record.model_copy(update={"seconds": None}) for record in self.records)
        same = self.model_copy(update={"records": records, "created": None, "seconds": None, "output": None})
        return same.model_dump_json(exclude_none=True)


@cache
def versions() -> dict[str, str]:
    """Versions that shape a result."""
    names = ("kbtools", "datasets", "pyarrow", "polars", "huggingface-hub")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found}


def attach(data: Dataset | DatasetDict, lineage: Lineage) -> None:
    """Let the lineage travel with this very object; any change made outside kbtools is seen by its fingerprint."""
    setattr(data, _ATTRIBUTE, (_identity(data), lineage))


def of(data: Dataset | DatasetDict) -> Lineage:
    """The lineage of a dataset that came from `kbtools.load` or `apply`; otherwise one that says it is not known."""
    identity, lineage = getattr(data, _ATTRIBUTE, (None, None))
    if lineage is not None and identity == _identity(data):
        return lineage  # type: ignore[no-any-return]  # an attribute that only `attach` sets
    return Lineage(versions=versions(), derived_from_memory=True)


def _identity(data: Dataset | DatasetDict) -> tuple[tuple[str, str], ...]:
    if isinstance(data, dict):
        return tuple((name, ds._fingerprint) for name, ds in data.items())
    return (("", data._fingerprint),)


def read(name: str | Path) -> Recipe:
    """A recipe (TOML) or a lineage (JSON, or a data file that has one) from a file; unknown keys are errors."""
    path = local_path(name)
    if path.suffix == ".toml":
        return _validated(Recipe, variables.filled_in(_toml(path), str(path)), path)
    if path.suffix == ".json":
        return _validated(Lineage, text_file.read_json(path, "lineage"), path)
    return read_lineage(path)


def read_all(spec: str, names: Sequence[str] = ()) -> list[Recipe]:
    """The recipes of a file: those of these names, or all, in order; of a Hub address the lineage that is there.

    Environment variables are filled in for the chosen recipes only, all of them before the first is returned.
    """
    path = local_path(spec)
    several = _toml(path) if path.suffix == ".toml" and not spec.startswith("hf://") else {}
    if "recipe" not in several:
        if names:
            raise UsageError(f"{spec} is a single recipe without a name, so {names[0]!r} cannot be chosen from it.")
        return [read_hub(spec) if spec.startswith("hf://") else read(path)]
    found = _by_name(_validated(_Recipes, several, path), path)
    chosen = list(names or found)
    for name in chosen:
        if name not in found:
            raise UsageError(f"{path} has no recipe {name!r}. {did_you_mean(name, found)}")
    filled = variables.filled_in([found[name] for name in chosen], f"{path} ({', '.join(chosen)})")
    assert isinstance(filled, list)  # as what was given
    named = [_validated(NamedRecipe, one, f"{path}, recipe {one['name']!r}") for one in filled]
    return [Recipe.model_validate(one.model_dump(exclude={"name"})) for one in named]


def _by_name(several: _Recipes, path: Path) -> dict[str, dict[str, object]]:
    found = {str(one.get("name", "")): one for one in several.recipe}
    if "" in found or len(found) < len(several.recipe):
        raise UsageError(f"{path}: every [[recipe]] needs a `name` of its own.")
    return found


def read_hub(uri: str) -> Lineage:
    """The lineage that a push has put beside the rows, from its address `hf://datasets/OWNER/NAME[@REVISION]/PATH`."""
    repo, revision, path = hub.parse_uri(uri)
    text = hub.read_text(repo, path or "kbtools-lineage.json", revision)
    return _validated(Lineage, text_file.parsed(text, uri), uri)


def read_lineage(name: str | Path) -> Lineage:
    """The lineage beside a data file, or else the one inside it."""
    path = local_path(name)
    for beside in (lineage_file(path), path / "kbtools-lineage.json"):
        if beside.is_file():
            return _validated(Lineage, text_file.read_json(beside, "lineage"), beside)
    if path.suffix == ".json" and path.is_file():
        return _validated(Lineage, text_file.read_json(path, "lineage"), path)
    if path.suffix == ".parquet" and path.is_file():
        return _from_parquet(path)
    if not path.exists():
        raise UsageError(f"there is no file {str(path)!r} to read a lineage from.")
    raise NoLineage(f"{path} has no lineage: neither in the file nor beside it as {lineage_file(path).name}.")


def _from_parquet(path: Path) -> Lineage:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowException as error:
        raise DataError(f"reading the lineage in {path}: it is not a whole parquet file ({error}).") from error
    if METADATA_KEY not in metadata:
        raise NoLineage(f"{path} has no lineage: it was not written by kbtools.")
    return _validated(Lineage, text_file.parsed(metadata[METADATA_KEY].decode(), path), path)


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text_file.read_text(path, "recipe"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not valid TOML: {error}") from error


T = TypeVar("T", bound=BaseModel)


def _validated(kind: type[T], data: object, path: Path | str) -> T:
    if isinstance(data, dict) and isinstance(newer := data.get("kbtools_lineage"), int) and newer > FORMAT:
        raise UsageError(
            f"{path} was written by a newer kbtools (format {newer}, known here: {FORMAT}): upgrade kbtools."
        )
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{path}: {explain(error, kind)}") from error
