"""The push itself: shards, card and lineage become one commit to the Hub, which is then read back.

The wire is in `kbtools.data.hub.client` and `kbtools.data.hub.commit`, the words are in `kbtools.card`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.card import Card, document
from kbtools.card.facts import SplitFigures, gather
from kbtools.card.metadata import SplitSize, folder_of, replaced_files, split_front
from kbtools.data.hollow import for_parquet
from kbtools.data.hub import client as hub
from kbtools.data.hub.commit import Change, Head, Landed, LocalFile, Place, commit
from kbtools.data.io import shards
from kbtools.data.io.shards import Shard
from kbtools.data.table import on_message, on_rows, rows_text
from kbtools.errors import ConfigError, DataError, KbError, UsageError
from kbtools.figures import label_counts
from kbtools.lineage import Lineage
from kbtools.publish.standing import check_replaceable, lineage_file, standing
from kbtools.publish.target import PushRequest, plan_push

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_SPLIT = re.compile(r"^\w+(\.\w+)*$")


@dataclass(frozen=True)
class Published:
    """What came of a push."""

    repo: str
    commit: str
    changed: bool
    rows: Mapping[str, int]
    pull_request: int | None
    empty: tuple[str, ...] = ()
    """Splits that have no rows and were left out."""
    former: tuple[str, ...] = ()
    """Splits that the configuration had before, and has no longer."""
    replaced: str = ""
    """The rows that were there before, in words."""

    @property
    def url(self) -> str:
        """Address for people."""
        base = f"{hub.endpoint()}/datasets/{self.repo}"
        return f"{base}/discussions/{self.pull_request}" if self.pull_request else f"{base}/tree/{self.commit}"


def push(data: Dataset | DatasetDict, request: PushRequest, lineage: Lineage) -> Published:
    """Put the dataset into its repository, in one commit, and read it back; KbError when it is not what was sent."""
    plan = plan_push(request, lineage)
    every = _splits(for_parquet(data))
    splits = {name: ds for name, ds in every.items() if ds.num_rows}  # `load_dataset` fails on a split without rows
    empty = tuple(name for name in every if name not in splits)
    labelled = {name for record in lineage.records for name in label_counts(record.facts)}
    facts = _facts(splits, {"difficulty", "style", *labelled})
    with tempfile.TemporaryDirectory(prefix="kbtools-push-") as folder:
        limit = shards.parse_size(request.max_shard_size)
        written = {name: _written(ds, Path(folder) / name, limit) for name, ds in splits.items()}
        paths = {name: shards.names(parts, folder_of(request.config), name) for name, parts in written.items()}
        card = Card(
            repo=plan.place.repo,
            config=request.config,
            facts=facts,
            lineage=lineage,
            files=paths,
            sizes={name: _size(parts) for name, parts in written.items()},
            lineage_file=lineage_file(request.config),
            license=plan.license.id,
            license_keys=plan.license.keys,
            language=plan.license.language,
            empty=empty,
        )
        local = {path: part for name in splits for path, part in zip(paths[name], written[name], strict=True)}
        if plan.standing:
            on_message.get()(f"{plan.replacing(sum(facts.splits.values()))} in {plan.place.repo}")
        landed = _land(plan.place, request, card, local)
    if landed.changed:
        _check_rows(plan.place.repo, landed.sha, paths, facts.splits)
    former = tuple(sorted(_splits_of(landed.gone, request.config) - set(splits)))
    before = plan.standing.text if plan.standing and landed.changed and not request.pull_request else ""
    return Published(
        plan.place.repo, landed.sha, landed.changed, facts.splits, landed.pull_request, empty, former, before
    )


def _splits_of(paths: Iterable[str], config: str) -> set[str]:
    prefix = folder_of(config) + "/"
    found = (shards.SHARD.match(path.removeprefix(prefix)) for path in paths if path.startswith(prefix))
    return {match["split"] for match in found if match}


def _facts(splits: Mapping[str, Dataset], labelled: set[str]) -> SplitFigures:
    """What the card says of the rows; the progress of a push is that of its shards, not of this reading."""
    before = on_rows.set(lambda rows: None)
    try:
        return gather(splits, labelled)
    finally:
        on_rows.reset(before)


def _written(ds: Dataset, folder: Path, limit: int) -> list[Shard]:
    try:
        return shards.write(ds, folder, limit)
    except OSError as error:
        raise ConfigError(f"writing shards to {folder.parent}: {error}. TMPDIR says where they are written.") from error


def _land(place: Place, request: PushRequest, card: Card, local: Mapping[str, Shard]) -> Landed:
    report, seen = on_rows.get(), set[str]()

    def uploaded(path: str) -> None:
        if path in local and path not in seen:
            seen.add(path)
            report(local[path].rows)

    rows = ", ".join(f"{name} {rows_text(count)}" for name, count in card.facts.splits.items())
    message = request.message or f"{card.config}: {rows}"
    return commit(place, partial(_change, request, card, local), message, uploaded)


def _change(request: PushRequest, card: Card, local: Mapping[str, Shard], now: Head) -> Change:
    """What the branch is to hold, given what it holds: this configuration new, everything else as it is."""
    if not request.pull_request:
        there = standing(card.repo, card.config, now, card.lineage.source, everything=request.replace)
        check_replaceable(card.repo, there, overwrite=request.overwrite)
    readme = hub.read_text(card.repo, "README.md", now.sha) if "README.md" in now.files else ""
    metadata, _ = split_front(readme)
    former = replaced_files(metadata, card.config, now.files, card.files)
    if request.replace:
        former, readme = frozenset(now.files) - {".gitattributes"}, ""
    files = {path: LocalFile(part.path, part.sha256, part.size) for path, part in local.items()}
    files[card.lineage_file] = LocalFile.text(card.public_lineage.embedded() + "\n")
    files["README.md"] = LocalFile.text(document.render(card, readme, [] if request.replace else list(now.files)))
    return Change(files, former - set(files))


def _check_rows(repo: str, sha: str, paths: Mapping[str, list[str]], rows: Mapping[str, int]) -> None:
    for split, names in paths.items():
        found = hub.parquet_rows(repo, sha, names)
        if found != rows[split]:
            raise KbError(f"{repo} at {sha[:12]} has {rows_text(found)} in {split}, not the {rows[split]:,} pushed.")


def _splits(data: Dataset | DatasetDict) -> dict[str, Dataset]:
    if isinstance(data, dict):
        splits = dict(data)
    else:
        named = str(data.split or "")
        splits = {named if _SPLIT.match(named) else "train": data}
    if not any(ds.num_rows for ds in splits.values()):
        raise DataError("there is nothing to push: no row is left. Look at what the stages before dropped.")
    wrong = [name for name in splits if not _SPLIT.match(name)]
    if wrong:
        raise UsageError(f"{wrong[0]!r} cannot be the name of a split on the Hub: use letters, digits and dots.")
    return splits


def _size(parts: list[Shard]) -> SplitSize:
    return SplitSize(sum(p.rows for p in parts), sum(p.nbytes for p in parts), sum(p.size for p in parts))
