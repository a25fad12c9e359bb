"""Loading from the Hub: the commit is resolved first and recorded, and no cached copy is ever taken for it unasked.

Offline mode (`--offline`, HF_HUB_OFFLINE) asks for the cache, and the source that comes back says so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.hub import client as hub
from kbtools.data.io.data_file import is_named
from kbtools.data.io.source import Source
from kbtools.errors import ConfigError, DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")
_REPO = re.compile(r"^[\w.-]+(/[\w.-]+)?$")


def is_hub_id(name: str) -> bool:
    """Whether a name is that of a dataset on the Hub, nothing of that name being here."""
    return bool(_HUB_ID.match(name)) and not is_named(name) and not Path(name).expanduser().exists()


def is_on_hub(source: Source) -> bool:
    """Whether a source is on the Hub: it says so, or nothing of its name is here."""
    return source.dataset.startswith("hf://") or is_hub_id(_address(source.dataset)[0])


def plain(source: Source) -> Source:
    """The source with an address `[hf://datasets/]OWNER/NAME[@REVISION]` as OWNER/NAME and its revision; others are
    what they are."""
    repo, revision, path = _address(source.dataset)
    if source.dataset.startswith("hf://") and not _REPO.match(repo):
        raise UsageError(f"{repo!r} is no name of a dataset on the Hub: write hf://datasets/OWNER/NAME.")
    if path:
        raise UsageError(f"{source.dataset}: give the dataset alone, hf://datasets/{repo}; its files go together.")
    if revision and source.revision not in (None, revision):
        raise UsageError(f"{source.dataset} and revision {source.revision!r} do not agree: give one of them.")
    return source.model_copy(update={"dataset": repo, "revision": source.revision or revision})


def _address(name: str) -> tuple[str, str | None, str]:
    """Repository, revision and path of an address of the Hub; any other name as it is."""
    if name.startswith("hf://"):
        return hub.parse_uri(name)
    repo, _, revision = name.partition("@")
    return (repo, revision or None, "") if is_hub_id(repo) and not Path(name).exists() else (name, None, "")


def read_dataset(source: Source) -> tuple[Dataset | DatasetDict, Source]:
    """The dataset, and the source with the commit that was read."""
    source = plain(source)
    import datasets
    from datasets.data_files import EmptyDatasetError
    from datasets.exceptions import DataFilesNotFoundError

    if datasets.config.HF_HUB_OFFLINE:
        return _from_cache(source)
    found = source.model_copy(update={"revision": _resolved_commit(source), "cached": None})
    try:
        with hub.explained(_doing(found)):
            return _built(found)[0], found
    except (
        EmptyDatasetError,
        DataFilesNotFoundError,
    ):  # a push that was killed before its first commit leaves such a one
        raise DataError(f"{_doing(found)}: the repository holds no data files.") from None


def _resolved_commit(source: Source) -> str:
    """Commit that the revision means now: asked first, since `load_dataset` would fall back to a stale cache unseen."""
    name = source.dataset
    near = did_you_mean(name, ("sample", *(entry.name for entry in Path.cwd().iterdir())), all_if_none_near=False)
    here = f"nor is there a file or folder of that name in {Path.cwd()}{near and f'; {near[0].lower()}{near[1:]}'}"
    with hub.briefly(), hub.explained(f"loading {name!r} from the Hub ({here})"):
        info = hub.persistently(lambda: hub.api().dataset_info(name, revision=source.revision))
        if info.gated:
            hub.api().auth_check(name, repo_type="dataset")
    return str(info.sha)


def _built(source: Source) -> tuple[Dataset | DatasetDict, str]:
    """The dataset at the source's revision, and the revision that the cache knows it by."""
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    try:
        builder = datasets.load_dataset_builder(source.dataset, source.config, revision=source.revision)
        _check_fallback(builder, source)
        builder.download_and_prepare()
        return builder.as_dataset(split=source.split), str(builder.hash)
    except DatasetNotFoundError as error:
        raise ConfigError(f"{_doing(source)}: {hub.redacted(str(error))}") from None
    except ValueError as error:  # an unknown configuration or split, and the choices
        raise UsageError(f"{_doing(source)}: {hub.redacted(str(error))}") from None


def _doing(source: Source) -> str:
    return f"loading {source.dataset} at {source.revision or 'its cached revision'}"


def _check_fallback(builder: object, source: Source) -> None:
    """`datasets` takes whatever the cache holds when it could not read what it was asked for."""
    import datasets
    from datasets.packaged_modules.cache.cache import Cache

    if isinstance(builder, Cache) and not datasets.config.HF_HUB_OFFLINE:
        raise ConfigError(
            f"loading {source.dataset} at {source.revision}: its files could not be read from the Hub. A cached copy "
            "of another time exists; ask for it with --offline if that is what you want."
        )


def _from_cache(source: Source) -> tuple[Dataset | DatasetDict, Source]:
    """What the cache holds, offline; the lineage says so."""
    try:
        data, commit = _built(source.model_copy(update={"revision": None}))
    except (FileNotFoundError, ConnectionError) as error:
        raise ConfigError(
            f"offline mode is on, and the cache holds no dataset {source.dataset!r} ({type(error).__name__}), nor is "
            f"there a file or folder of that name here ({Path.cwd()}). Load it once without --offline."
        ) from None
    if source.revision not in (None, commit):
        raise ConfigError(
            f"offline mode is on, and the cache holds {source.dataset} at {commit}, not at {source.revision}. "
            "Give that commit with --revision, or go online."
        )
    return data, source.model_copy(update={"revision": commit, "cached": True})
