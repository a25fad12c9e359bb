"""Checks that a plugin's author runs on their own stage or judge: one call, one test, the whole contract."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from kbtools.data.table import rows_text
from kbtools.errors import KbError
from kbtools.judge import Judge, Verdict
from kbtools.result import Result
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset


OF_THE_RUN = frozenset(
    {
        *("dataset", "split", "config", "revision", "limit", "offline"),
        *("out", "dropped", "save_recipe", "engine", "scratch", "shards", "dry_run", "quiet", "json_output", "push"),
    }
)
"""Options of the command line that no field may be called: it would take them for its own."""


def check_stage(stage: Stage, ds: Dataset) -> Dataset:
    """AssertionError unless the stage keeps the contract on this dataset; returns the stage's result on it.

    The contract: it can be rebuilt from its config and pickled; it has a docstring, a scope and documented fields; its
    result has the features that it declared, on these rows and on none; rows that are gone are accounted for; the
    input is not changed; the same input gives the same rows again; and so does the input in parts, where the stage says
    that it looks at single rows.
    """
    _check_class(type(stage))
    rebuilt = type(stage)(**stage.config()).config()
    assert rebuilt == stage.config(), f"{stage!r} cannot be rebuilt from its config: that gives {rebuilt}"
    assert pickle.loads(pickle.dumps(stage)) == stage, f"{stage!r} does not survive pickling"
    before = _rows(ds)
    declared = stage.output_features(ds.features)
    result = stage.run(ds)
    out = result.dataset
    assert not stage.only_reads() or out is ds, f"{stage.name} says that it only reads, and gives another dataset"
    parts = list(out.values()) if isinstance(out, dict) else [out]
    for part in parts:
        assert part.features == declared, f"{stage.name}: declared {declared}, gave {part.features}"
    rows_out = sum(part.num_rows for part in parts)
    gone = ds.num_rows - rows_out - sum(result.dropped_counts().values()) - result.merged
    assert gone <= 0, f"{stage.name}: {rows_text(gone)} are gone without a reason"
    assert _rows(ds) == before, f"{stage.name} changed its input"
    again = stage.run(ds).dataset
    for part, same in zip(parts, again.values() if isinstance(again, dict) else [again], strict=True):
        assert _rows(part) == _rows(same), f"{stage.name}: two runs on the same rows differ"
    _check_empty(stage, ds)
    if stage.scope == "row" and stage.placement != "driver":
        _check_parts(stage, ds, result)
    return out


def _check_parts(stage: Stage, ds: Dataset, whole: Result) -> None:
    """A stage that looks at single rows gives for parts of them what it gives for all: engines rely on it."""
    middle = ds.num_rows // 2
    parts = [stage.run(ds.select(part)) for part in (range(middle), range(middle, ds.num_rows))]
    rows = [row for part in parts for row in part.dataset.to_list()]
    assert repr(rows) == _rows(whole.dataset), (
        f"{stage.name} states the scope `row`, and gives other rows for two halves"
    )
    joined = stage.joined(parts)
    assert dict(joined.facts) == dict(whole.facts), f"{stage.name}: `joined` gives {joined.facts}, not {whole.facts}"


def _rows(ds: Dataset) -> str:
    return repr(ds.to_list())  # as text, in which NaN equals NaN


def check_judge(judge: Judge, **texts: str) -> Verdict:
    """AssertionError unless the judge keeps the contract; returns its verdict on these texts, given by role.

    Without texts, every role that the judge reads holds a small piece of code.
    """
    import datasets

    assert issubclass(judge.verdict, Verdict), f"{type(judge).__name__}.verdict must derive from kbtools.Verdict"
    material = dict.fromkeys(judge.reads, "def f(x):\n    return x + 1\n") | texts
    columns = {role: [text, text] for role, text in material.items()} or {"text": ["x", "x"]}
    ds = datasets.Dataset.from_dict(columns)
    placed = judge.model_copy(update={"columns": {**{role: role for role in material}, **judge.columns}})
    out = check_stage(placed, ds)
    names = placed.column_names(ds.features)
    rows = out.select_columns(list(names.values())).to_list()
    return judge.verdict(**{field: rows[0][name] for field, name in names.items()})


def _check_class(cls: type[Stage]) -> None:
    assert (cls.__doc__ or "").strip(), f"{cls.__name__} needs a docstring: its first line is what users see"
    try:
        cls.check_class()
    except KbError as error:
        raise AssertionError(str(error)) from None
    taken = sorted(OF_THE_RUN & set(cls.model_fields))
    assert not taken, f"{cls.__name__}: {', '.join(taken)} would hide an option of `kbtools apply`: call it otherwise"
    for name, field in cls.model_fields.items():
        assert field.description, f"{cls.__name__}.{name} needs a docstring: it is the option's help text"


def _check_empty(stage: Stage, ds: Dataset) -> None:
    none = ds.select([])
    result = stage.run(none).dataset
    for part in result.values() if isinstance(result, dict) else [result]:
        assert part.num_rows == 0, f"{stage.name}: rows came out of an empty dataset"
        assert part.features == stage.output_features(ds.features), f"{stage.name}: an empty dataset loses its features"
