"""The YAML head of a card: what the Hub and `load_dataset` read of it. Keys that kbtools does not write are kept."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from kbtools.data.io.shards import SHARD
from kbtools.errors import DataError

if TYPE_CHECKING:
    from datasets import Features

Metadata = dict[str, Any]


@dataclass(frozen=True)
class SplitSize:
    """Rows of a split, their bytes in memory, and those of its files."""

    rows: int
    nbytes: int
    file_bytes: int


_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


def split_front(readme: str) -> tuple[Metadata, str]:
    """The metadata and the text of a README; DataError when its head is not YAML."""
    match = _FRONT.match(readme)
    if not match:
        return {}, readme
    try:
        found = yaml.safe_load(match[1]) or {}
    except yaml.YAMLError as error:
        raise DataError(
            f"the metadata at the head of the repository's README.md is not YAML ({error}): mend it first."
        ) from error
    return found, readme[match.end() :]


def dump_front(metadata: Metadata) -> str:
    """The metadata between its two lines."""
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---\n"


def folder_of(config: str) -> str:
    """Where the shards of a configuration lie; as in plain `push_to_hub`."""
    return "data" if config == "default" else config


def with_config(
    old: Metadata, config: str, files: Mapping[str, list[str]], features: Features, sizes: Mapping[str, SplitSize]
) -> Metadata:
    """The metadata with one configuration put in place."""
    data_files = [{"split": split, "path": paths} for split, paths in files.items()]
    configs = [entry for entry in old.get("configs", []) if entry.get("config_name", "default") != config]
    configs.append({"config_name": config, "data_files": data_files})
    infos = [entry for entry in _infos(old) if entry.get("config_name", "default") != config]
    infos.append({"config_name": config, **_info(features, sizes)})
    by_name = sorted(configs, key=_config_order), sorted(infos, key=_config_order)
    return {**old, "configs": by_name[0], "dataset_info": by_name[1]}


def _config_order(entry: Mapping[str, object]) -> tuple[bool, str]:
    name = str(entry.get("config_name", "default"))
    return name != "default", name


def _infos(metadata: Metadata) -> list[dict[str, Any]]:
    found = metadata.get("dataset_info", [])
    return found if isinstance(found, list) else [found]


def _info(features: Features, sizes: Mapping[str, SplitSize]) -> dict[str, object]:
    return {
        "features": features._to_yaml_list(),
        "splits": [{"name": n, "num_bytes": size.nbytes, "num_examples": size.rows} for n, size in sizes.items()],
        "download_size": sum(size.file_bytes for size in sizes.values()),
        "dataset_size": sum(size.nbytes for size in sizes.values()),
    }


def with_default_spelt_out(old: Metadata, existing: Iterable[str]) -> Metadata:
    """A repository that lists no configuration is loaded by its file names, until one is listed: then all must be."""
    splits = sorted({m["split"] for path in existing if path.startswith("data/") and (m := SHARD.match(path[5:]))})
    if "configs" in old or not splits:
        return old
    files = [{"split": split, "path": f"data/{split}-*"} for split in splits]
    return {**old, "configs": [{"config_name": "default", "data_files": files}]}


def spells_out_default(metadata: Metadata, existing: Iterable[str]) -> bool:
    """Whether the files of a repository stay what they are when it lists a further configuration."""
    return "configs" in metadata or all(path.startswith("data/") and SHARD.match(path[5:]) for path in existing)


def listed_files(metadata: Mapping[str, Any], config: str) -> list[str]:
    """The files that a repository lists for a configuration, as kbtools writes the list."""
    entries = [entry for entry in metadata.get("configs", []) if entry.get("config_name", "default") == config]
    return [path for entry in entries for path in _patterns(entry)]


def rows_by_split(metadata: Metadata, config: str | None) -> int | None:
    """Rows that the head of a README counts of one configuration, or of all; None when it does not."""
    entries = [one for one in _infos(metadata) if config is None or one.get("config_name", "default") == config]
    counts = [split.get("num_examples") for entry in entries for split in entry.get("splits", [])]
    return sum(counts) if counts and None not in counts else None


def rows_of(metadata: Metadata) -> int:
    """Rows of all configurations."""
    return sum(split["num_examples"] for entry in _infos(metadata) for split in entry.get("splits", []))


def size_category(rows: int) -> str:
    """The Hub's name for a size."""
    return next((name for bound, name in _SIZES if rows < bound), "n>10M")


def replaced_files(
    metadata: Metadata, config: str, existing: Mapping[str, object], splits: Mapping[str, object]
) -> frozenset[str]:
    """Shards of the former state of a configuration: nothing that another one lists, nothing of other names."""
    others = [
        p
        for entry in metadata.get("configs", [])
        if entry.get("config_name", "default") != config
        for p in _patterns(entry)
    ]
    own = [entry for entry in metadata.get("configs", []) if entry.get("config_name", "default") == config]
    known = {str(item["split"]) for entry in own for item in _data_files(entry)} | set(splits)
    prefix = folder_of(config) + "/"
    return frozenset(
        path
        for path in existing
        if path.startswith(prefix)
        and (match := SHARD.match(path.removeprefix(prefix)))
        and match["split"] in known
        and not any(path == pattern or fnmatch.fnmatch(path, pattern) for pattern in others)
    )


def _data_files(entry: Mapping[str, object]) -> list[dict[str, object]]:
    files = entry.get("data_files", [])
    return [item for item in files if isinstance(item, dict) and "split" in item] if isinstance(files, list) else []


def _patterns(entry: Mapping[str, object]) -> list[str]:
    """Everything that a configuration may list as its files, in any of the ways in which the Hub lets it be written."""
    found: list[str] = []
    pending = [entry.get("data_files", [])]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.append(item.get("path", []))
    return found
