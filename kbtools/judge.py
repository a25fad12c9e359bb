"""What a judge is: a stage that rates every row, the fields of its verdict becoming columns.

A judge is config plus one function, from the texts of a row to a `Verdict`. A judge that asks a model overrides
`transform` and builds on `kbtools.models`; the columns that it adds are declared in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    ModelWrapValidatorHandler,
    TypeAdapter,
    field_validator,
    model_validator,
)

from kbtools.data import texts
from kbtools.data.columns import Schema
from kbtools.data.made_columns import map_columns
from kbtools.data.table import column, top_column
from kbtools.errors import KbError, SchemaError
from kbtools.fields import without_none
from kbtools.plugins import registry
from kbtools.result import Result, merge
from kbtools.stage import Stage

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

RAW = "evaluation_raw"
_COUNTS = TypeAdapter(dict[str, dict[str, int]])


class Verdict(BaseModel):
    """What a judge says of one row; subclass it with the fields that become columns."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    evaluation_raw: str
    """The judgement as it was given: a model's whole reply, or the reasons in words."""


@dataclass(frozen=True)
class VerdictField:
    """The column that a field of a verdict becomes."""

    feature: Any
    labels: tuple[str, ...] = ()
    """The values that the field can take, where they are a closed list."""


class Judge(Stage):
    """Rate every row; the fields of the verdict become columns.

    Which judge rates, `judge` says, and each judge has options of its own:

        kbtools judges
        kbtools apply judge --judge NAME --help
    """

    name: ClassVar[str] = "judge"
    suffix: ClassVar[str] = "judged"
    chooses_by: ClassVar[str] = "judge"
    reads: ClassVar[tuple[str, ...]] = ()
    """Roles whose texts `rate` receives, such as `reference_code` and `completion`; the dataset must have them."""
    may_read: ClassVar[tuple[str, ...]] = ()
    """Roles whose texts `rate` receives where the dataset has them; otherwise they are not in its mapping."""
    verdict: ClassVar[type[Verdict]] = Verdict
    judge: str = "model"
    """Which judge: a name that `kbtools judges` lists."""
    prefix: str = ""
    """Put before the names of the new columns."""

    if TYPE_CHECKING:  # Judge(judge="static", ...) builds the named judge, whose own fields the checker cannot know

        def __init__(self, **fields: object) -> None: ...

    @classmethod
    def check_class(cls) -> None:
        """KbError also for a judge that has no name of its own, and would answer to that of its base."""
        if cls is not Judge:  # the base states no scope: each judge has to
            super().check_class()
        if "judge" not in get_annotations(cls) or not isinstance(cls.model_fields["judge"].default, str):
            raise KbError(f"{cls.__module__}.{cls.__name__} must give its field `judge` its own name as default.")

    @classmethod
    def registered_name(cls) -> str:
        """The name of the judge; that of the stage for the base of all judges."""
        return cls.name if cls is Judge else str(cls.model_fields["judge"].default)

    @classmethod
    def chosen(cls, fields: Mapping[str, Any]) -> type[Stage]:
        """The judge of the name in the field `judge`; a judge's own class is itself."""
        name = fields.get("judge", cls.model_fields["judge"].default)
        return registry().judge(name) if cls is Judge and isinstance(name, str) else cls

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_own_class(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Any:
        """`Judge.model_validate` gives an instance of the judge that the fields name."""
        chosen = cls.chosen(value) if isinstance(value, Mapping) else cls
        return handler(value) if chosen is cls else chosen.model_validate(value)

    def model_copy(self, *, update: Mapping[str, object] | None = None, deep: bool = False) -> Self:
        """As of every stage; with another `judge` a judge of that name."""
        if (update or {}).get("judge", self.judge) == self.judge:
            return super().model_copy(update=update, deep=deep)
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return cast("Self", Judge.model_validate({**given, **(update or {})}))

    def recipe_entry(self) -> dict[str, JsonValue]:
        """The stage `judge` with the name by which this judge is found, which may have its distribution before it."""
        return {"stage": self.name, **self.config(), "judge": registry().name_of(type(self))}

    @field_validator("judge", mode="before")
    @classmethod
    def _without_distribution(cls, value: object) -> Any:
        """`distribution/name` chooses among judges of one name; the judge itself only knows its name."""
        return value.rpartition("/")[2] if isinstance(value, str) else value

    def config(self) -> dict[str, JsonValue]:
        """As of every stage, and always the name of the judge."""
        return {"judge": self.judge, **super().config()}

    def rate(self, material: Mapping[str, str | None]) -> Verdict:
        """The verdict on one row, given the text of each role that the judge reads."""
        raise TypeError(f"judge {self.judge!r} ({type(self).__name__}) defines neither `rate` nor `transform`")

    def _rated(self, material: Mapping[str, str | None]) -> Verdict:
        """What `rate` gives, once it is known to have the fields that were declared."""
        given = self.rate(material)
        if not isinstance(given, self.verdict):
            told = f"`rate` of judge {self.judge!r} gave {type(given).__name__} instead of {self.verdict.__name__}"
            raise KbError(f"{told}, which is a defect of the judge.")
        return given

    def label(self) -> str:
        """What sets this judge's raw column apart from that of an earlier judge."""
        return self.judge.replace("-", "_")

    def fields(self) -> dict[str, VerdictField]:
        """The fields of the verdicts, in order; by default those of the verdict's class."""
        return {name: field_of_class(self.verdict, name) for name in self.verdict.model_fields}

    def column_names(self, features: Features) -> dict[str, str]:
        """Column of each field of the verdict; SchemaError when one would overwrite a column."""
        names = {field: self.prefix + field for field in self.fields()}
        if names[RAW] in features:  # a second judge keeps its own raw text beside the first one's
            names[RAW] = f"{names[RAW]}_{self.label()}"
        for name in names.values():
            if name in features:
                raise SchemaError(
                    f"column {name!r} exists already, and judge {self.judge!r} would overwrite it. "
                    "Give its columns other names with --prefix, or leave the old column out first."
                )
        return names

    def output_features(self, features: Features) -> Features:
        """The input's features and one column for each field of the verdict."""
        self._paths(features)
        return self.with_verdict(features)

    def _paths(self, features: Features) -> dict[str, str]:
        """Column of each role that is read; SchemaError for one that is missing or cannot be read as text."""
        schema = Schema(features, self.columns)
        roles = [*self.reads, *(role for role in self.may_read if schema.has(role))]
        return {role: schema.readable(role) for role in roles}

    def with_verdict(self, features: Features) -> Features:
        """The features and one column for each field of the verdict."""
        fields = self.fields()
        new = {name: fields[field].feature for field, name in self.column_names(features).items()}
        return type(features)({**features, **new})

    def transform(self, ds: Dataset) -> Result:
        """Rate every row of the dataset."""
        import pyarrow as pa

        names = self.column_names(ds.features)
        features = self.output_features(ds.features)
        paths = self._paths(ds.features)

        def rated(table: pa.Table) -> pa.Table:
            verdicts = [dict(self._rated(material)) for material in self._material(table, paths)]
            return pa.table(verdict_columns(verdicts, names, features))

        needs = sorted({top_column(ds.features, path) for path in paths.values()}) or ds.column_names[:1]
        done = map_columns(ds, rated, needs, features=features, fingerprint=self.fingerprint(ds), rows=200)
        return Result(done, facts={"verdicts": verdict_counts(done, self.fields(), names)})

    def joined(self, parts: Sequence[Result]) -> Result:
        """The counts of verdicts add up."""
        if any(part.facts.keys() != {"verdicts"} for part in parts):  # a judge with a `transform` and facts of its own
            return super().joined(parts)
        counts: dict[str, Counter[str]] = {}
        for part in parts:
            for name, found in _COUNTS.validate_python(part.facts["verdicts"]).items():
                counts.setdefault(name, Counter()).update(found)
        return replace(
            merge(parts), facts={"verdicts": {name: dict(sorted(some.items())) for name, some in counts.items()}}
        )

    def _material(self, table: pa.Table, paths: Mapping[str, str]) -> Iterator[dict[str, str | None]]:
        found = {role: texts.of_column(table, path) for role, path in paths.items()}
        for row in range(table.num_rows):
            yield {role: values[row] for role, values in found.items()}


def verdict_columns(
    verdicts: Sequence[Mapping[str, object] | None], names: Mapping[str, str], features: Features
) -> dict[str, pa.Array]:
    """A column for each field of the verdicts, under its name; None is a verdict that was not given."""
    import pyarrow as pa

    schema, found = features.arrow_schema, {}
    for field, name in names.items():
        values = [None if verdict is None else verdict[field] for verdict in verdicts]
        found[name] = pa.array(values, schema.field(name).type)
    return found


def verdict_counts(ds: Dataset, fields: Mapping[str, VerdictField], names: Mapping[str, str]) -> dict[str, Any]:
    """How often each value of each labelled field was given, for the lineage and the card."""
    labelled = {name for field, name in names.items() if fields[field].labels}
    return {
        name: {str(value): count for value, count in sorted(Counter(map(str, column(ds, name).to_pylist())).items())}
        for name in names.values()
        if name in labelled
    }


def field_of_class(verdict: type[BaseModel], field: str) -> VerdictField:
    """The column of a field, from its annotation; TypeError for a type that no column has."""
    import datasets

    annotation = without_none(verdict.model_fields[field].annotation)
    if get_origin(annotation) is Literal:
        return VerdictField(datasets.Value("string"), get_args(annotation))
    if get_origin(annotation) in (list, tuple):
        return VerdictField(datasets.List(datasets.Value(_DTYPES[get_args(annotation)[0]])))
    if annotation not in _DTYPES:
        raise TypeError(
            f"field {field!r} of {verdict.__name__} has type {annotation}, for which there is no column type"
        )
    return VerdictField(datasets.Value(_DTYPES[annotation]))


_DTYPES: dict[object, str] = {str: "string", int: "int64", float: "float64", bool: "bool"}
