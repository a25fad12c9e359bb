"""What a stage is: a frozen config that turns a dataset into a dataset and says what it left out.

`Stage` and `Pipeline` live here, and how they treat several splits. What a stage gives back is in `kbtools.result`,
running a chain with lineage and progress in `kbtools.pipeline`, finding columns by their role in `kbtools.data`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

from pydantic import ConfigDict, JsonValue, model_validator

from kbtools.data.digest import source_digest
from kbtools.data.table import column, take, with_constant
from kbtools.errors import KbError, SchemaError
from kbtools.fields import CheckedModel, as_in_commands
from kbtools.figures import Section, notebook
from kbtools.plugins import registry
from kbtools.result import Result, merge, of_splits

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, Features

Placement = Literal["worker", "either", "driver"]
Scope = Literal["row", "split", "dataset"]
"""What a stage must see at once: single rows (so an engine may shard them), a whole split, or all splits together."""


class Stage(CheckedModel, ABC):
    """One step over a dataset; its fields are its keyword arguments, its command-line options and its recipe keys."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    name: ClassVar[str]
    """What users write to get this stage."""
    suffix: ClassVar[str] = ""
    """What this stage adds to the names of outputs and repositories."""
    scope: ClassVar[Scope]
    """What this stage must see at once. Every stage states it: a stage that compares rows, taken for one that looks at
    single rows, would give wrong results for a dataset of several splits."""
    chooses_by: ClassVar[str] = ""
    """Field by whose value `chosen` finds the class, where several classes answer to one name."""
    placement: ClassVar[Placement] = "worker"
    """Where an engine runs a row-wise stage: in workers, shard by shard; with the driver, where it keeps a store of its
    own; or on either side, where it takes no longer than reading its rows."""
    makes_rows: ClassVar[bool] = True
    """False for a stage that only publishes or reports: it is not part of how the rows came about, so the lineage
    leaves it out, and repeating a lineage does not repeat it."""

    columns: dict[str, str] = {}
    """Which column holds a role, where the layout does not say it, as role=column (nested: info.module_name)."""

    @model_validator(mode="before")
    @classmethod
    def _as_in_commands(cls, given: object) -> object:
        return as_in_commands(cls, given)

    @classmethod
    def check_class(cls) -> None:
        """KbError for a class that lacks what every stage states: its `name` and its `scope`."""
        where = f"{cls.__module__}.{cls.__name__}"
        if not isinstance(getattr(cls, "name", None), str):
            raise KbError(f"{where} does not state its name. Write `name: ClassVar[str] = ...` in the class.")
        if getattr(cls, "scope", None) not in get_args(Scope):
            raise KbError(
                f"{where} does not state its scope. Write `scope: ClassVar[kb.stage.Scope] = ...` in the class: 'row' "
                "if it treats every row alone, 'split' if it compares rows of a split, 'dataset' if it compares rows "
                "of all splits."
            )

    @classmethod
    def registered_name(cls) -> str:
        """The name under which plugins offer this class."""
        return cls.name

    @classmethod
    def chosen(cls, fields: Mapping[str, Any]) -> type[Stage]:
        """The class that these fields ask for: this one, unless a field chooses among several, as `judge` does."""
        return cls

    @abstractmethod
    def transform(self, ds: Dataset) -> Result:
        """Process one dataset; the caller has already checked its columns with `output_features`."""

    def output_features(self, features: Features) -> Features:
        """Features of the result for these features of the input; raises SchemaError when they do not fit."""
        return features

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> Section | None:
        """What a report shows of facts that this stage has recorded; nothing by default."""
        return None

    def only_reads(self) -> bool:
        """Whether the result is the very dataset that came in, so that there is nothing to save after such stages."""
        return False

    def prompts(self) -> Mapping[str, str]:
        """Text of every prompt that this stage uses, by `name@vN`: part of the cache key and of the lineage."""
        return {}

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """What can be known to fail is found here, before any work; returns lines for people to read.

        `before` is the recipe up to this stage as plain data, as `kbtools.Recipe` reads it.
        """
        return ()

    def __or__(self, other: Stage) -> Pipeline:
        """This stage, then the other, as one stage."""
        return Pipeline(stages=tuple(flat([self, other])))

    def __call__(self, ds: Dataset | DatasetDict) -> Dataset | DatasetDict:
        """The same as `kbtools.apply(ds, self)`: checked, watched, and recorded in the lineage of the result."""
        import kbtools  # a call goes up through the package's own door, so that there is one way to run a stage

        return kbtools.apply(ds, self)

    def run(self, ds: Dataset | DatasetDict) -> Result:
        """Check the columns and process a dataset, or every split of one as `scope` demands."""
        self.check_class()
        if not isinstance(ds, dict):
            self.output_features(ds.features)
            return self.transform(ds)
        for split in ds.values():
            self.output_features(split.features)
        return self.transform_splits(ds)

    def transform_splits(self, splits: DatasetDict) -> Result:
        """Process all splits: each alone, or, with scope `dataset`, together, every row staying in its split."""
        if self.scope == "dataset":
            return _together(self, splits)
        return of_splits({name: self.transform(ds) for name, ds in splits.items()})

    def joined(self, parts: Sequence[Result]) -> Result:
        """What consecutive parts of the rows came to, as one; the dataset is the first part's, and left to the caller.

        A row-wise stage that gives facts or tables says here how those of parts become those of the whole, and so does
        one whose notes count rows.
        """
        if any(part.facts or part.tables for part in parts):
            raise KbError(
                f"stage {self.name!r} gives facts and does not say how those of parts of the rows become one: "
                "override `joined` in it, or run without --engine."
            )
        return merge(parts)

    def recipe_entry(self) -> dict[str, JsonValue]:
        """This stage as a recipe writes it."""
        return {"stage": registry().name_of(type(self)), **self.config()}

    def _repr_html_(self) -> str:
        """What a notebook shows: the stages with what each was told."""
        rows = ((stage.name, notebook.settings(stage.config())) for stage in flat([self]))
        return notebook.page(notebook.numbered("", ("stage", "settings"), rows))

    def model_copy(self, *, update: Mapping[str, object] | None = None, deep: bool = False) -> Self:
        """A stage with some fields changed, checked like a new one: pydantic's own copy would take any value."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return self.model_validate({**given, **(update or {})})

    def config(self) -> dict[str, JsonValue]:
        """The fields that differ from their defaults, as plain data: with `name` enough to build the stage again."""
        data: dict[str, JsonValue] = self.model_dump(mode="json", exclude_defaults=True)
        return data

    def fingerprint(self, ds: Dataset, step: str = "") -> str:
        """Cache key of one step of this stage over this dataset, to be given to `map` and `select` (64 hex digits).

        It covers the input, every field, the prompt texts, the plugin's version and the source of the code: what
        `datasets` would leave out, and then silently return the old rows.
        """
        origin = registry().origin(type(self))
        parts = [
            ds._fingerprint,
            self.name,
            self.model_dump_json(),
            json.dumps(dict(self.prompts()), sort_keys=True),
            origin.version if origin else "",
            *(source_digest(cls.__module__) for cls in type(self).__mro__ if issubclass(cls, Stage)),
            step,
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class Pipeline(Stage):
    """Several stages, one after the other, as one stage."""

    name: ClassVar[str] = "pipeline"
    scope: ClassVar[Scope] = "dataset"

    stages: tuple[Stage, ...]
    """The stages in order."""

    def output_features(self, features: Features) -> Features:
        """Features after the last stage, each stage checked on what the ones before it leave."""
        return check_chain(features, self.stages)

    def transform(self, ds: Dataset) -> Result:
        """Run every stage on one dataset."""
        return self.run(ds)

    def run(self, ds: Dataset | DatasetDict) -> Result:
        """Check the whole chain, then run every stage; what each dropped, failed and noted is reported together."""
        for split in ds.values() if isinstance(ds, dict) else [ds]:
            self.output_features(split.features)
        results: list[Result] = [Result(ds)]
        for stage in self.stages:
            results.append(stage.run(results[-1].dataset))
        places = enumerate(zip(self.stages, results[1:], strict=True), start=1)
        facts = {f"{place} {stage.name}": dict(result.facts) for place, (stage, result) in places if result.facts}
        return replace(merge(results), dataset=results[-1].dataset, facts=facts)


def flat(stages: Iterable[Stage]) -> Iterator[Stage]:
    """The stages, with every pipeline replaced by its own."""
    for stage in stages:
        if isinstance(stage, Pipeline):
            yield from flat(stage.stages)
        else:
            yield stage


def check_chain(features: Features, stages: Iterable[Stage]) -> Features:
    """Features after the last stage; SchemaError of the first stage that would not fit, before any row is touched."""
    removed: dict[str, str] = {}
    for position, stage in enumerate(flat(stages), start=1):
        stage.check_class()
        try:
            after = stage.output_features(features)
        except SchemaError as error:
            wanted = {*error.missing, *(path.partition(".")[0] for path in error.missing)}
            blame = "".join(f" ({name} was removed by {by}.)" for name, by in removed.items() if name in wanted)
            raise SchemaError(f"stage {position} ({stage.name}): {error}{blame}", missing=error.missing) from error
        removed.update({name: f"stage {position} ({stage.name})" for name in features if name not in after})
        features = after
    return features


def summary(cls: type) -> str:
    """First line of a class's docstring."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


SPLIT = "__kbtools_split__"
"""Column with the name of each row's split, while a stage of scope `dataset` sees all splits joined."""


def _together(stage: Stage, splits: DatasetDict) -> Result:
    """All splits as one dataset with the split's name in a column, transformed, and taken apart again."""
    import datasets
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    joined = datasets.concatenate_datasets([with_constant(ds, SPLIT, name) for name, ds in splits.items()])
    result = stage.transform(joined)
    split = np.asarray(pc.index_in(column(result.dataset, SPLIT), pa.array(list(splits))))
    whole = result.dataset.remove_columns(SPLIT)
    keys = {name: hashlib.sha256(f"{result.dataset._fingerprint}\0{name}".encode()).hexdigest() for name in splits}
    parts = {name: take(whole, np.flatnonzero(split == place), keys[name]) for place, name in enumerate(splits)}
    dropped = tuple(replace(drop, rows=drop.rows.remove_columns(SPLIT)) for drop in result.dropped)
    return replace(result, dataset=type(splits)(parts), dropped=dropped)
