"""What Acme adds to kbtools: the stages `tag` and `keep-short`, the judge `acme-lines` and the prompt `acme-review`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, ClassVar

import kbtools as kb
from kbtools.data.table import map_batches, take

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features


class Tag(kb.Stage):
    """Add a column that holds one label in every row."""

    name: ClassVar[str] = "tag"
    scope: ClassVar[kb.stage.Scope] = "row"
    suffix: ClassVar[str] = "tagged"

    label: str
    """What every row gets."""
    column: str = "tag"
    """Name of the new column."""

    def output_features(self, features: Features) -> Features:
        """The features and the new column."""
        import datasets

        if self.column in features:
            raise kb.errors.SchemaError(f"column {self.column!r} exists already: choose another with --column.")
        return datasets.Features({**features, self.column: datasets.Value("string")})

    def transform(self, ds: Dataset) -> kb.Result:
        """Append the column."""
        import pyarrow as pa

        def tagged(table: pa.Table) -> pa.Table:
            return table.append_column(self.column, pa.array([self.label] * table.num_rows, pa.string()))

        features = self.output_features(ds.features)
        return kb.Result(map_batches(ds, tagged, features=features, fingerprint=self.fingerprint(ds)))


class KeepShort(kb.Stage):
    """Keep nothing at all: a stage whose name another package claims too."""

    name: ClassVar[str] = "keep-short"
    scope: ClassVar[kb.stage.Scope] = "row"

    def transform(self, ds: Dataset) -> kb.Result:
        """Drop every row."""
        return kb.Result(take(ds, [], self.fingerprint(ds)), dropped=(kb.Drop(ds, "Acme keeps nothing"),))


class Lines(kb.Verdict):
    """How long a completion is."""

    lines: int
    """Lines of the completion."""


class AcmeLines(kb.Judge):
    """Count the lines of the completion."""

    scope: ClassVar[kb.stage.Scope] = "row"
    reads: ClassVar[tuple[str, ...]] = ("completion",)
    verdict: ClassVar[type[kb.Verdict]] = Lines

    judge: str = "acme-lines"
    """Name of this judge."""

    def rate(self, material: Mapping[str, str | None]) -> Lines:
        """One line for each line break, and one more."""
        text = material["completion"] or ""
        return Lines(lines=len(text.splitlines()), evaluation_raw="counted")


@kb.hookimpl
def register_stages() -> list[type[kb.Stage]]:
    """Acme's stages."""
    return [Tag, KeepShort]


@kb.hookimpl
def register_judges() -> list[type[kb.Judge]]:
    """Acme's judge."""
    return [AcmeLines]


@kb.hookimpl
def register_prompts() -> list[Traversable]:
    """Acme's prompt."""
    return [resources.files("kbtools_acme") / "prompts"]
