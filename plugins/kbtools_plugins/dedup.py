"""The stage `dedup`: the best row of each key, chosen by polars on the key, the score and digests of the code.

Long texts never stay in memory: reference code is hashed a batch at a time, and each distinct text is parsed once.
Of many rows the keys do not stay there either: `key_parts` has a part of them at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

import kbtools as kb
from kbtools.data.table import batches, field_of, frames, require_values, row_name, take
from kbtools.engines import answers
from kbtools.wording import counted
from kbtools_plugins.code_shape import AS_TEXT
from kbtools_plugins.key_parts import in_parts

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset, Features

CODE = "code"
"""The key that stands for reference code without its comments, docstrings and formatting."""
_DIGESTS = "kbtools_plugins.code_shape:digests"
_TOP = 10
"""Of the best rows, how many the facts name."""
_WORSE = "worse than the best row of its key"


class Dedup(kb.Stage):
    """Keep the best row of each key; of equally good rows the first."""

    name: ClassVar[str] = "dedup"
    suffix: ClassVar[str] = "unique"
    scope: ClassVar[kb.stage.Scope] = "dataset"

    key: Annotated[tuple[str, ...], Field(min_length=1)] = ("module_name",)
    """Roles or columns that make rows duplicates; `code` is the reference code without comments, docstrings and
    formatting (code that does not parse equals only the very same text)."""
    by: str = "reward"
    """Role or column of numbers of which the highest is best."""
    collisions: Literal["warn", "error", "split"] = "warn"
    """When one key covers different reference code: warn, fail, or keep the best row of each code."""
    nulls: Literal["error", "drop", "keep"] = "error"
    """Rows without key or score (null or NaN): fail, drop them, or keep (no key: always; no score: as the worst)."""
    order: Literal["score", "input"] = "score"
    """Order of the kept rows: the best score first (ties as they came), or as they came."""

    def output_features(self, features: Features) -> Features:
        """The same features, once key, score and, where it decides, the reference code are known to be there."""
        _Places.of(self, features)
        return features

    def transform(self, ds: Dataset) -> kb.Result:
        """Rank the rows by score, keep the first of each key, and report the rest."""
        import polars as pl

        places = _Places.of(self, ds.features)
        with _parts(self, ds, places) as (parts, unparsed):
            found = [self._of_part(ds, places, rows) for rows in parts]
        notes = self._collision_notes(places, found)
        best = _ranked(pl.concat([part.best for part in found]).sort("row"))
        top = _ranked(pl.concat([part.top for part in found]).sort("row")).head(_TOP)
        kept = best if self.order == "score" else best.sort("row")
        return kb.Result(
            take(ds, kept["row"].to_numpy(), self.fingerprint(ds, "kept")),
            dropped=tuple(self._drops(ds, found)),
            notes=(*notes, *_unparsed_note(ds, unparsed, self.columns)),
            facts={"keys": best.height, "top": _top(ds, places, top, self.columns)},
        )

    def without_nulls(self, ds: Dataset, places: _Places, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The frames; behind the last one a RowError for nulls that are errors, those of the key first."""
        missing: dict[str, list[int]] = {name: [] for name in places.decisive}
        for some in frames:
            yield some
            for name, rows in missing.items() if self.nulls == "error" else ():
                rows += some.filter(some["text" if name == CODE else name].is_null())["row"].to_list()
        for name, path in places.decisive.items():
            remedy = "Use --nulls drop or --nulls keep to continue."
            require_values(ds, missing[name], path, remedy, self.columns)

    def _of_part(self, ds: Dataset, places: _Places, rows: pl.DataFrame) -> _Ranked:
        """What becomes of rows that have all rows of their keys with them."""
        whole = rows if self.nulls == "keep" else rows.drop_nulls(list(places.decisive))
        whole, mixed = self._variants(ds, places, whole)
        best = _first_of_each(_ranked(whole), places)
        worse = whole.join(best, on="row", how="anti", maintain_order="left")
        return _Ranked(best.select("row", "score"), best.head(_TOP), self._reasons(places, rows, worse), mixed)

    def _reasons(self, places: _Places, rows: pl.DataFrame, worse: pl.DataFrame) -> dict[str, pl.Series]:
        """Every row that is not kept, by reason; a row that is null in several columns counts for the first."""
        reasons = {_WORSE: worse["row"]}
        if self.nulls == "drop":
            for name, path in places.decisive.items():
                reasons[f"null {path}"] = rows.filter(rows[name].is_null())["row"]
                rows = rows.filter(rows[name].is_not_null())
        return reasons

    def _drops(self, ds: Dataset, found: Sequence[_Ranked]) -> Iterator[kb.Drop]:
        import polars as pl

        for reason in found[0].left_out:
            rows = pl.concat([part.left_out[reason] for part in found]).sort()
            if len(rows):
                yield kb.Drop(take(ds, rows.to_numpy(), self.fingerprint(ds, reason)), reason)

    def _variants(self, ds: Dataset, places: _Places, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows with a column `variant` that numbers the different codes of one key; the keys that have several."""
        import polars as pl

        if CODE in self.key or places.code is None:
            return rows.with_columns(variant=None), pl.DataFrame()
        doubtful = _several(rows, places.names, "text")
        codes, _ = _normalised(ds, places.code, doubtful)
        rows = rows.join(codes, on="text", how="left", maintain_order="left").rename({"code": "variant"})
        mixed = _several(rows, places.names, "variant").group_by(places.names, maintain_order=True)
        return rows, mixed.agg(codes=pl.col("variant").drop_nulls().n_unique(), row=pl.col("row").first())

    def _collision_notes(self, places: _Places, found: Sequence[_Ranked]) -> list[str]:
        """What to warn of; RowError where that is an error."""
        import polars as pl

        if CODE in self.key:
            return []
        if places.code is None:
            return [_UNCHECKED]
        mixed = pl.concat([part.mixed for part in found]).sort("row").drop("row")
        if not mixed.height:
            return []
        message = _collision_text(places, mixed)
        if self.collisions == "error":
            raise kb.errors.RowError(f"{message} Use --collisions split to keep the best row of each code, or warn.")
        if places.apart:
            return [f"{message} Each code keeps its best row."]
        return [f"{message} Only the best row of each key is kept; --collisions split keeps one for each code."]


@dataclass(frozen=True)
class _Ranked:
    """What became of the rows of some keys."""

    best: pl.DataFrame
    """Row and score of those that stay."""
    top: pl.DataFrame
    """The best of these with their keys."""
    left_out: Mapping[str, pl.Series]
    """The others by reason."""
    mixed: pl.DataFrame
    """Keys with different codes, how many of them, and the first row of each."""


@dataclass(frozen=True)
class _Places:
    """Where key, score and reference code stand."""

    keys: Mapping[str, str]
    """Path of each key column, by the name that it has in frames here."""
    score: str
    code: str | None
    """Path of the reference code; None when the dataset has none, so that collisions cannot be seen."""
    apart: bool
    """Whether different code under one key makes different modules."""

    @property
    def names(self) -> list[str]:
        """Columns of the key in frames."""
        return list(self.keys)

    @property
    def decisive(self) -> dict[str, str]:
        """Columns whose nulls leave open what to do with a row."""
        return {**self.keys, **({"text": str(self.code)} if self.apart else {}), "score": self.score}

    @classmethod
    def of(cls, stage: Dedup, features: Features) -> _Places:
        schema = kb.Schema(features, stage.columns)
        needed = CODE in stage.key or stage.collisions != "warn"
        code = schema.find("reference_code") if needed or schema.has("reference_code") else None
        if code is not None:
            schema.require(code, "text")
        keys = {}
        for number, word in enumerate(dict.fromkeys(stage.key)):
            if word == CODE:
                keys[CODE] = str(code)
            else:
                keys[f"key{number}"] = schema.require(schema.locate(word), "scalar")
        score = schema.require(schema.locate(stage.by), "number")
        return cls(keys, score, code, apart=stage.collisions == "split" and CODE not in keys)


_UNCHECKED = (
    "the dataset has no reference code that could show whether one key covers different modules "
    "(--columns reference_code=COLUMN says where it is)."
)


@contextmanager
def _parts(stage: Dedup, ds: Dataset, places: _Places) -> Iterator[tuple[Iterator[pl.DataFrame], list[int]]]:
    """Index, keys, score and a digest of the code of every row; and rows whose code would not parse but is a key.

    Where the key is code, all rows are one part: each distinct text of them is parsed once.
    """
    import polars as pl

    read = stage.without_nulls(ds, places, _read(ds, places))
    if CODE not in places.keys:
        with in_parts(read, ds.num_rows, places.names) as parts:
            yield parts, []
        return
    rows = pl.concat(read)
    codes, unparsed = _normalised(ds, str(places.code), rows)
    yield iter([rows.join(codes, on="text", how="left", maintain_order="left")]), unparsed


def _read(ds: Dataset, places: _Places) -> Iterator[pl.DataFrame]:
    """What is read of the rows: of the code a 64-bit digest, which two of a million texts share by a chance of 3e-8."""
    import polars as pl

    paths = {name: path for name, path in places.keys.items() if name != CODE} | {"score": places.score}
    digest = pl.when(pl.col("text").is_not_null()).then(pl.col("text").hash())
    for some in frames(ds, paths if places.code is None else {**paths, "text": places.code}, rows=20_000):
        yield some if places.code is None else some.with_columns(text=digest)


def _normalised(ds: Dataset, path: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """A digest of the syntax tree for every distinct text of these rows, and a row of each text that has none."""
    import polars as pl

    first = rows.drop_nulls("text").group_by("text", maintain_order=True).agg(pl.col("row").min())
    tables = batches(ds.select(first["row"].to_list()), [path], rows=500)
    texts = (json.dumps(field_of(table, path).to_pylist()) for table in tables)
    digests = [digest for some in answers(_DIGESTS, texts) for digest in json.loads(some)]
    codes = first.select("text", code=pl.Series(digests, dtype=pl.String))
    unparsed = first.filter(codes["code"].str.starts_with(AS_TEXT))["row"]
    return codes, unparsed.sort().to_list()


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("score", descending=True, nulls_last=True, maintain_order=True)


def _first_of_each(ranked: pl.DataFrame, places: _Places) -> pl.DataFrame:
    """The first row of each key; a row whose key is null in any part stands for itself."""
    import polars as pl

    unknown = pl.any_horizontal(pl.col(name).is_null() for name in places.decisive if name != "score")
    alone = ranked.with_columns(alone=pl.when(unknown).then("row"))
    names = [*places.names, *(["variant"] if places.apart else [])]
    return alone.unique([*names, "alone"], keep="first", maintain_order=True)


def _several(rows: pl.DataFrame, names: list[str], values: str) -> pl.DataFrame:
    """Rows of the keys that have more than one different value in a column."""
    import polars as pl

    known = rows.drop_nulls([*names, values])
    mixed = known.group_by(names).agg(pl.col(values).n_unique()).filter(pl.col(values) > 1)
    return known.join(mixed.select(names), on=names, how="semi")


def _collision_text(places: _Places, counts: pl.DataFrame) -> str:
    named = [f"{_key(row[:-1])!r} ({counted(row[-1], 'code')})" for row in counts.head(3).iter_rows()]
    more = f" and {counts.height - 3} more" if counts.height > 3 else ""
    what = " + ".join(places.keys.values())
    return f"{counted(counts.height, 'key')} ({what}) with different reference code: {', '.join(named)}{more}."


def _top(ds: Dataset, places: _Places, best: pl.DataFrame, columns: dict[str, str]) -> Any:
    """The ten best rows as plain data: the key (the row, where the key is code) and the score."""
    names = [name for name in places.names if name != CODE]
    return [
        {
            "key": _key([row[name] for name in names]) if names else row_name(ds, row["row"], columns),
            "score": row["score"],
        }
        for row in best.iter_rows(named=True)
    ]


def _key(values: Any) -> object:
    plain = [value if isinstance(value, str | int | float | None) else str(value) for value in values]
    return plain[0] if len(plain) == 1 else plain


def _unparsed_note(ds: Dataset, rows: list[int], columns: dict[str, str]) -> list[str]:
    if not rows:
        return []
    named = ", ".join(row_name(ds, row, columns) for row in rows[:3])
    return [f"codes that do not parse and equal only the very same text: {len(rows)} ({named})."]
