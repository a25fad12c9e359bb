"""Whether ratings follow what code does or how it looks: a sample of rows is judged again with the looks changed.

Which rows are sampled depends on their texts alone, so every run, model and order of rows asks about the same ones. The
calls are planned, stored and counted like all others; what comes of them goes into the record and never into a column.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kbtools.data.table import rows_text
from kbtools.errors import UsageError
from kbtools.llm import RowFailure, RowInputs, parsed_rows, row_inputs
from kbtools.models.store import chunks
from kbtools_plugins.model_judges import rewrites

if TYPE_CHECKING:
    from datasets import Dataset

    from kbtools.llm import ModelStage
    from kbtools.models.store import ResponseStore

Texts = dict[str, str]
ROWS = 50
"""Sampled rows that are looked at together."""


@dataclass(frozen=True)
class Trial:
    """The judge on trial, the JSON schema of each of its ratings, and the share of rows, as in `5%`."""

    judge: ModelStage
    scores: Mapping[str, Mapping[str, Any]]
    share: str


def share_of(text: str) -> float:
    """The share that `5%` or `0.05` means, 0 for nothing; UsageError for anything else."""
    if not text:
        return 0.0
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UsageError(f"--metamorphic {text}: expected a share of the rows, such as 5% or 0.05.")
    return share


def variants(trial: Trial, ds: Dataset) -> Iterator[RowInputs]:
    """Every sampled row with each change that makes a difference to it."""
    for inputs in _sampled(trial, ds):
        yield from _changed(trial, inputs).values()


def shifts(trial: Trial, ds: Dataset, model: str, store: ResponseStore) -> dict[str, object]:
    """For each change: the rows it was made to, those whose variant has no verdict, and how far each rating moved."""
    pairs: dict[str, list[tuple[object, object]]] = {name: [] for name in _changes(trial)}
    failed = dict.fromkeys(pairs, 0)
    rows = 0
    for some in chunks(_sampled(trial, ds), ROWS):
        changed = [_changed(trial, inputs) for inputs in some]
        asked = [inputs for own, others in zip(some, changed, strict=True) for inputs in (own, *others.values())]
        found = iter(parsed_rows(trial.judge, asked, model, store))
        for names in changed:
            verdict, rows = next(found), rows + 1
            for name in names:
                other = next(found)
                failed[name] += isinstance(other, RowFailure)
                if not isinstance(other, RowFailure) and not isinstance(verdict, RowFailure):
                    pairs[name].append((verdict, other))
    moved = {name: _moved(trial, pairs[name], failed[name]) for name in pairs}
    return {"share": trial.share, "rows": rows, "changes": moved}


def told(found: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The shifts in a sentence."""
    if found is None:
        return ()
    if not found["rows"]:
        return (f"--metamorphic {found['share']}: no row fell into the sample; ask for a larger share.",)
    parts = (_told(name, change) for name, change in found["changes"].items())
    return (f"metamorphic, {rows_text(found['rows'])} sampled: {'; '.join(parts)}",)


def _sampled(trial: Trial, ds: Dataset) -> Iterator[Texts]:
    """Rows whose texts have a digest below the share, equal ones once."""
    limit = int(share_of(trial.share) * 2**64)
    seen: set[int] = set()
    for inputs in row_inputs(trial.judge, ds) if limit else ():
        given = {role: text for role, text in inputs.items() if text is not None}
        number = int.from_bytes(hashlib.sha256("\0".join(given.values()).encode("utf-8", "surrogatepass")).digest()[:8])
        if number < limit and number not in seen and len(given) == len(inputs):
            seen.add(number)
            yield given


def _changes(trial: Trial) -> dict[str, Callable[[Texts], Texts]]:
    """The changes by the names under which the record has them."""
    claim = _claim(trial)
    return {
        "comments stripped": lambda given: {key: rewrites.without_comments(text) for key, text in given.items()},
        "names changed": rewrites.renamed,
        f"comment {claim!r} planted": lambda given: {
            key: rewrites.with_comment(text, claim) for key, text in given.items()
        },
    }


def _claim(trial: Trial) -> str:
    """What a comment would say that wants a certain rating: the highest score, or the first label."""
    said = []
    for name, kind in trial.scores.items():
        wanted = kind["enum"][0] if "enum" in kind else f"score {kind.get('maximum', 10)}"
        said.append(f"{name}: {wanted}")
    return ", ".join(said)


def _changed(trial: Trial, given: Texts) -> dict[str, Texts]:
    made = {name: change(given) for name, change in _changes(trial).items()}
    return {name: other for name, other in made.items() if other != given}


def _moved(trial: Trial, pairs: Sequence[tuple[Any, Any]], failed: int) -> dict[str, object]:
    found: dict[str, object] = {"rows": len(pairs), "failed": failed}
    for name, kind in trial.scores.items() if pairs else ():
        before, after = ([pair[side][name] for pair in pairs] for side in (0, 1))
        if kind.get("type") in ("integer", "number") and "enum" not in kind:
            steps = [b - a for a, b in zip(before, after, strict=True)]
            mean, size = statistics.fmean(steps), statistics.fmean(map(abs, steps))
            found[name] = {"mean_change": round(mean, 4), "mean_size_of_change": round(size, 4)}
        else:
            changed = sum(a != b for a, b in zip(before, after, strict=True))
            found[name] = {"share_changed": round(changed / len(pairs), 4)}
    return found


def _told(change: str, found: Mapping[str, Any]) -> str:
    said = []
    for name, figures in found.items():
        if isinstance(figures, Mapping) and "share_changed" in figures:
            said.append(f"{name} differs in {figures['share_changed']:.1%}")
        elif isinstance(figures, Mapping):
            said.append(f"{name} {figures['mean_change']:+.2f} on average")
    said += [f"{found['failed']:,} without a verdict"] if found["failed"] else []
    return f"{change} ({rows_text(found['rows'])}) {', '.join(said)}".strip()
