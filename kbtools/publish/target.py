"""Where a push goes, and under which licence: everything that can be refused is refused here, before any work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kbtools.data.hub import client as hub
from kbtools.data.hub import datasets as from_hub
from kbtools.data.hub.client import Account
from kbtools.data.hub.commit import Place, head_of
from kbtools.data.io import load, shards
from kbtools.data.io.source import Source
from kbtools.data.table import rows_text
from kbtools.errors import Missing, UsageError
from kbtools.lineage import Recipe, limited_name
from kbtools.publish.command import known_pushes
from kbtools.publish.standing import Standing, check_replaceable, standing

if TYPE_CHECKING:
    from huggingface_hub import DatasetCardData
    from huggingface_hub.hf_api import DatasetInfo

_CONFIG = re.compile(r"^[A-Za-z0-9][\w.-]*$")
_LICENSE_HINT = "give one with --license (`--license unknown` says that it is not known)."


@dataclass(frozen=True)
class PushRequest:
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
    overwrite: bool = False
    max_shard_size: str = "500MB"


@dataclass(frozen=True)
class License:
    """Licence of a dataset as the Hub writes it; `keys` name a licence that the Hub has no id for."""

    id: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    language: tuple[str, ...] = ("code",)


@dataclass(frozen=True)
class PushPlan:
    """Where a push goes, checked."""

    place: Place
    license: License
    standing: Standing | None
    """What is there already, and would be replaced."""
    lines: tuple[str, ...]
    """What is to be said before any work is done."""

    def text(self, rows: int | None = None) -> str:
        """The target in words; `rows` is how many would go there, where that is known."""
        return f"{hub.endpoint()}/datasets/{self.place.repo} ({self.replacing(rows)})"

    def replacing(self, rows: int | None) -> str:
        """How many rows replace how many."""
        if self.standing is None:
            return "new"
        verb = "replaces" if rows is None else f"{rows_text(rows)} {'replaces' if rows == 1 else 'replace'}"
        return f"{verb} {self.standing.text}"


def plan_push(request: PushRequest, recipe: Recipe) -> PushPlan:
    """Where a push of this recipe's result goes; errors when it cannot go there, or when a licence must be given."""
    if not _CONFIG.match(request.config) or request.config == "data":
        raise UsageError(f"--config-name {request.config!r}: use letters, digits, dots and dashes, and not `data`.")
    if request.pull_request and request.branch != "main":
        raise UsageError(f"--pr and --branch {request.branch}: a pull request goes to main, so give one of them.")
    shards.parse_size(request.max_shard_size)
    if recipe.source is not None:
        recipe = recipe.model_copy(update={"source": from_hub.plain(recipe.source)})
    user = _account(request, recipe.source)
    asked = _repo(request, recipe, user.name)
    repo = limited_name(asked, recipe.source.limit if recipe.source else None)
    found = hub.check_write(repo, user, pull_request=request.pull_request)
    if found is not None and request.private is not None and bool(found.private) != request.private:
        kind = "private" if found.private else "public"
        raise UsageError(f"{repo} exists and is {kind}: its visibility is changed on its settings page, not by a push.")
    private = bool(found.private) if found is not None else request.private is not False
    place = Place(repo, request.branch, private, request.pull_request)
    there = None if found is None else _standing(request, place, recipe.source)
    lines = (*_lines(place, found, recipe), *_replacing(there, request))
    plan = PushPlan(place, _license(request, recipe.source, repo, found), there, lines)
    if known := known_pushes.get():
        known.add(asked, request.config, plan)
    return plan


def _account(request: PushRequest, source: Source | None) -> Account:
    """Who pushes; without a token, all that is missing, of which the licence of rows from elsewhere is told here."""
    try:
        return hub.account()
    except Missing as error:
        unknown = source is None or not (_on_hub(source) or source.dataset == load.SAMPLE)
        if request.license or not unknown:
            raise
        raise Missing(*error.needs, f"no licence is known of what is pushed: {_LICENSE_HINT}") from error


def exists(repo: str) -> bool:
    """Whether the Hub has a dataset of this name, as far as this token can see."""
    return hub.info(repo) is not None


def _standing(request: PushRequest, place: Place, source: Source | None) -> Standing | None:
    """What the push would replace; UsageError when that is not an earlier state of the same dataset."""
    head = head_of(place.repo, place.branch)
    found = head and standing(place.repo, request.config, head, source, everything=request.replace)
    if found and not request.pull_request:
        check_replaceable(place.repo, found, overwrite=request.overwrite)
    return found or None


def _replacing(there: Standing | None, request: PushRequest) -> list[str]:
    if there is None:
        return []
    if there.foreign and not request.pull_request:
        return [f"warning: replaces {there.text} there, although {there.foreign} (--overwrite)"]
    return [f"replaces {there.text} there{', once it is merged' if request.pull_request else ''}"]


def _lines(place: Place, found: DatasetInfo | None, recipe: Recipe) -> tuple[str, ...]:
    state = "private" if place.private else "public"
    new = "" if found is not None else "new, "
    where = f" branch {place.branch}" if place.branch != "main" else ""
    how = ", as a pull request" if place.pull_request else ""
    lines = [f"will push to {hub.endpoint()}/datasets/{place.repo}{where} ({new}{state}){how}"]
    source = recipe.source
    if source is not None and source.limit is not None:
        lines.append(
            f"warning: only the first {rows_text(source.limit)} of each split are pushed (--limit or TEST_MODE)"
        )
    if not place.private and source is not None and (hidden := _hidden(source)):
        lines.append(f"warning: {source.dataset} is {hidden}, and what is made of it goes public")
    return tuple(lines)


def _hidden(source: Source) -> str:
    """`private` or `gated` where not everybody can read the source."""
    origin = hub.info(source.dataset) if _on_hub(source) else None
    if origin is None:
        return ""
    return "private" if origin.private else "gated" if origin.gated else ""


def _repo(request: PushRequest, recipe: Recipe, user: str) -> str:
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
        raise UsageError(f"--repo {repo!r} is not a name for a repository: {error}") from None
    return repo


def _license(request: PushRequest, source: Source | None, repo: str, found: DatasetInfo | None) -> License:
    """The licence that was given, else the source's, else what the repository says already; never a guess."""
    known_of = known_pushes.get()
    if not request.license and source and known_of and (earlier := known_of.license_of(source.dataset)):
        return earlier
    cards = [_declared(source), found.card_data if found is not None else None]
    known = next((card for card in cards if card is not None and card.get("license")), None)
    language = _language(cards)
    if request.license:
        return License(request.license.lower(), language=language)
    if source is not None and source.dataset == load.SAMPLE:
        return License("mit", language=language)
    if known is None:
        name = source.dataset if source else "the source"
        raise UsageError(f"{name} names no licence, so that of {repo} cannot be known: {_LICENSE_HINT}")
    named = known.get("license")
    keys = {key: known.get(key) for key in ("license_name", "license_link") if known.get(key)}
    return License(str(named[0] if isinstance(named, list) else named), keys, language)


def _declared(source: Source | None) -> DatasetCardData | None:
    """The card's metadata of a source on the Hub, at the revision that is used."""
    if source is None or source.cached or not _on_hub(source):
        return None
    found = hub.info(source.dataset, source.revision)
    return found.card_data if found is not None else None


def _language(cards: list[DatasetCardData | None]) -> tuple[str, ...]:
    for card in cards:
        named = card.get("language") if card is not None else None
        if named:
            return tuple(named) if isinstance(named, list) else (str(named),)
    return ("code",)


def _on_hub(source: Source) -> bool:
    return source.dataset != load.SAMPLE and from_hub.is_hub_id(source.dataset)
