"""Publishing a dataset: shards, card and lineage become one commit to the Hub, which is then read back.

`check` is asked before any work is done, `push` does it. The wire is in `kbtools.data.hub` and `kbtools.data.commit`,
the words are in `kbtools.card`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbtools.card import Card, document
from kbtools.card.facts import gather
from kbtools.card.metadata import SplitSize, folder_of, replaced_files, split_front
from kbtools.data import from_hub, hub, load, shards
from kbtools.data.commit import Change, Head, Landed, LocalFile, Place, commit
from kbtools.data.shards import Shard
from kbtools.data.source import Source
from kbtools.data.table import on_rows
from kbtools.errors import DataError, KbError, UsageError
from kbtools.lineage import Lineage, Recipe

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

LINEAGE_FILE = "kbtools-lineage.json"
_CONFIG = re.compile(r"^[A-Za-z0-9][\w.-]*$")
_SPLIT = re.compile(r"^\w+(\.\w+)*$")


@dataclass(frozen=True)
class Request:
    """What the user asked for; None leaves the choice to the rules."""

    repo: str | None = None
    org: str | None = None
    private: bool | None = None
    branch: str = "main"
    pull_request: bool = False
    config: str = "default"
    message: str | None = None
    license: str | None = None
    replace: bool = False
    max_shard_size: str = "500MB"


@dataclass(frozen=True)
class License:
    """Licence of a dataset as the Hub writes it; `keys` name a licence that the Hub has no id for."""

    id: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    language: tuple[str, ...] = ("code",)


@dataclass(frozen=True)
class Plan:
    """Where a push goes, checked."""

    place: Place
    license: License
    exists: bool
    lines: tuple[str, ...]
    """What is to be said before any work is done."""


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

    @property
    def url(self) -> str:
        """Address for people."""
        base = f"{hub.endpoint()}/datasets/{self.repo}"
        return f"{base}/discussions/{self.pull_request}" if self.pull_request else f"{base}/tree/{self.commit}"


def check(request: Request, recipe: Recipe) -> Plan:
    """Where a push of this recipe's result goes; errors when it cannot go there, or when a licence must be given."""
    if not _CONFIG.match(request.config) or request.config == "data":
        raise UsageError(f"--config-name {request.config!r}: use letters, digits, dots and dashes, and not `data`.")
    shards.parse_size(request.max_shard_size)
    if recipe.source is not None:
        recipe = recipe.model_copy(update={"source": from_hub.plain(recipe.source)})
    user = hub.account()
    repo = _repo(request, recipe, user.name)
    found = hub.check_write(repo, user, pull_request=request.pull_request)
    if found is not None and request.private is not None and bool(found.private) != request.private:
        kind = "private" if found.private else "public"
        raise UsageError(f"{repo} exists and is {kind}: its visibility is changed on its settings page, not by a push.")
    private = bool(found.private) if found is not None else request.private is not False
    place = Place(repo, request.branch, private, request.pull_request)
    return Plan(place, _license(request, recipe.source, repo, found), found is not None, _lines(place, found, recipe))


def _lines(place: Place, found: Any, recipe: Recipe) -> tuple[str, ...]:
    state = "private" if place.private else "public"
    new = "" if found is not None else "new, "
    where = f" branch {place.branch}" if place.branch != "main" else ""
    how = ", as a pull request" if place.pull_request else ""
    lines = [f"will push to {hub.endpoint()}/datasets/{place.repo}{where} ({new}{state}){how}"]
    source = recipe.source
    if source is not None and source.limit is not None:
        lines.append(f"warning: only the first {source.limit:,} rows of each split are pushed (--limit or TEST_MODE)")
    if not place.private and source is not None and (hidden := _hidden(source)):
        lines.append(f"warning: {source.dataset} is {hidden}, and what is made of it goes public")
    return tuple(lines)


def _hidden(source: Source) -> str:
    """`private` or `gated` where not everybody can read the source."""
    origin = hub.info(source.dataset) if _on_hub(source) else None
    if origin is None:
        return ""
    return "private" if origin.private else "gated" if origin.gated else ""


def _repo(request: Request, recipe: Recipe, user: str) -> str:
    """OWNER/NAME as asked for, or the user's, named after the source and the suffixes of the stages."""
    if request.repo and "/" in request.repo:
        if request.org and not request.repo.startswith(f"{request.org}/"):
            raise UsageError(f"--org {request.org} and --repo {request.repo} name different owners.")
        return _valid(request.repo)
    if not request.repo and recipe.source is None:
        raise UsageError("the rows come from memory, so there is no name to call the repository by: give --repo NAME.")
    repo = f"{request.org or user}/{request.repo or recipe.result_name()}"
    if not request.repo and recipe.source is not None and repo == recipe.source.dataset:
        raise UsageError(
            f"the result would be pushed onto its own source, {repo}: say so with --repo, or name another."
        )
    return _valid(repo)


def _valid(repo: str) -> str:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UsageError(f"--repo {repo!r} is no name for a repository: {error}") from None
    return repo


def _license(request: Request, source: Source | None, repo: str, found: Any) -> License:
    """The licence that was given, else the source's, else what the repository says already; never a guess."""
    cards = [_declared(source), found.card_data if found is not None else None]
    known = next((card for card in cards if card is not None and card.get("license")), None)
    language = _language(cards)
    if request.license:
        return License(request.license.lower(), language=language)
    if source is not None and source.dataset == load.SAMPLE:
        return License("mit", language=language)
    if known is None:
        name = source.dataset if source else "the source"
        raise UsageError(
            f"{name} names no licence, so that of {repo} cannot be known: give one with --license (`--license unknown` "
            "says that it is not known)."
        )
    named = known.get("license")
    keys = {key: known.get(key) for key in ("license_name", "license_link") if known.get(key)}
    return License(str(named[0] if isinstance(named, list) else named), keys, language)


def _declared(source: Source | None) -> Any:
    """The card's metadata of a source on the Hub, at the revision that is used."""
    if source is None or source.cached or not _on_hub(source):
        return None
    found = hub.info(source.dataset, source.revision)
    return found.card_data if found is not None else None


def _language(cards: list[Any]) -> tuple[str, ...]:
    for card in cards:
        named = card.get("language") if card is not None else None
        if named:
            return tuple(named) if isinstance(named, list) else (str(named),)
    return ("code",)


# ---- the push -------------------------------------------------------------------------------------------------------


def push(data: Dataset | DatasetDict, request: Request, lineage: Lineage) -> Published:
    """Put the dataset into its repository, in one commit, and read it back; KbError when it is not what was sent."""
    plan = check(request, lineage)
    every = _splits(data)
    splits = {name: ds for name, ds in every.items() if ds.num_rows}  # `load_dataset` fails on a split without rows
    empty = tuple(name for name in every if name not in splits)
    labelled = {name for record in lineage.records for name in _judged(record.facts)}
    facts = gather(splits, {"difficulty", "style", *labelled})
    with tempfile.TemporaryDirectory(prefix="kbtools-push-") as folder:
        limit = shards.parse_size(request.max_shard_size)
        written = {name: shards.write(ds, Path(folder) / name, limit) for name, ds in splits.items()}
        paths = {name: shards.names(parts, folder_of(request.config), name) for name, parts in written.items()}
        card = Card(
            repo=plan.place.repo,
            config=request.config,
            facts=facts,
            lineage=lineage,
            files=paths,
            sizes={name: _size(parts) for name, parts in written.items()},
            lineage_file=_lineage_file(request.config),
            license=plan.license.id,
            license_keys=plan.license.keys,
            language=plan.license.language,
            empty=empty,
        )
        local = {path: part for name in splits for path, part in zip(paths[name], written[name], strict=True)}
        landed = _land(plan.place, request, card, local)
    if landed.changed:
        _check_rows(plan.place.repo, landed.sha, paths, facts.splits)
    return Published(plan.place.repo, landed.sha, landed.changed, facts.splits, landed.pull_request, empty)


def _land(place: Place, request: Request, card: Card, local: Mapping[str, Shard]) -> Landed:
    report, seen = on_rows.get(), set[str]()

    def uploaded(path: str) -> None:
        if path in local and path not in seen:
            seen.add(path)
            report(local[path].rows)

    rows = ", ".join(f"{name} {count:,}" for name, count in card.facts.splits.items())
    message = request.message or f"{card.config}: {rows} rows"
    return commit(place, partial(_change, request, card, local), message, uploaded)


def _change(request: Request, card: Card, local: Mapping[str, Shard], now: Head) -> Change:
    """What the branch shall hold, given what it holds: this configuration new, everything else as it is."""
    readme = hub.read_text(card.repo, "README.md", now.sha) if "README.md" in now.files else ""
    metadata, _ = split_front(readme)
    former = replaced_files(metadata, card.config, now.files, card.files)
    if request.replace:
        former, readme = frozenset(now.files) - {".gitattributes"}, ""
    files = {path: LocalFile(part.path, part.sha256, part.size) for path, part in local.items()}
    files[card.lineage_file] = LocalFile.text(card.lineage.embedded() + "\n")
    files["README.md"] = LocalFile.text(document.render(card, readme, [] if request.replace else list(now.files)))
    return Change(files, former - set(files))


def _check_rows(repo: str, sha: str, paths: Mapping[str, list[str]], rows: Mapping[str, int]) -> None:
    for split, names in paths.items():
        found = hub.parquet_rows(repo, sha, names)
        if found != rows[split]:
            raise KbError(f"{repo} at {sha[:12]} has {found:,} rows in {split}, not the {rows[split]:,} pushed.")


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


def _judged(facts: Mapping[str, Any]) -> set[str]:
    """Names of the columns that a stage counted verdicts of, whether for one dataset or for each of its splits."""
    parts = [facts, *(part for part in facts.values() if isinstance(part, dict))]
    return {name for part in parts if isinstance(part.get("verdicts"), dict) for name in part["verdicts"]}


def _size(parts: list[Shard]) -> SplitSize:
    return SplitSize(sum(p.rows for p in parts), sum(p.nbytes for p in parts), sum(p.size for p in parts))


def _lineage_file(config: str) -> str:
    return LINEAGE_FILE if config == "default" else f"{config}/{LINEAGE_FILE}"


def _on_hub(source: Source) -> bool:
    return source.dataset != load.SAMPLE and from_hub.is_hub_id(source.dataset)
