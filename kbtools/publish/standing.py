"""What is at the target of a push already: how many rows, and whether kbtools wrote them from the same source.

Nothing else is replaced without being told to. Asked before any work, and once more of the very head that is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kbtools import lineage as lineages
from kbtools.card.metadata import folder_of, listed_files, rows_by_split, spells_out_default, split_front
from kbtools.card.privacy import public_source
from kbtools.data.hub import client as hub
from kbtools.data.hub.commit import Head, RemoteFile
from kbtools.data.io.shards import SHARD
from kbtools.data.io.source import Source
from kbtools.data.table import rows_text
from kbtools.errors import DataError, UsageError

LINEAGE_FILE = "kbtools-lineage.json"
_TEXTS = (".md", ".txt", ".gitattributes", ".gitignore", LINEAGE_FILE)


@dataclass(frozen=True)
class Standing:
    """The rows that a push would take the place of."""

    rows: int | None
    """None where the repository does not say."""
    foreign: str
    """Why they are not an earlier state of the same dataset; empty where they are."""

    @property
    def text(self) -> str:
        """How many rows, in words."""
        return "files whose rows it does not count" if self.rows is None else rows_text(self.rows)


def lineage_file(config: str) -> str:
    """Where the lineage of a configuration lies in its repository."""
    return LINEAGE_FILE if config == "default" else f"{config}/{LINEAGE_FILE}"


def standing(repo: str, config: str, head: Head, source: Source | None, *, everything: bool = False) -> Standing | None:
    """What a push of this configuration would replace, `everything` meaning the whole repository; None for nothing."""
    if not (data := [path for path in head.files if not path.endswith(_TEXTS) and not path.startswith("LICENSE")]):
        return None
    readme = hub.read_text(repo, "README.md", head.sha) if "README.md" in head.files else ""
    metadata, _ = split_front(readme)
    own = [path for path in data if path.startswith(folder_of(config) + "/")]
    listed = listed_files(metadata, config)
    if not (everything or own or listed) and spells_out_default(metadata, data):
        return None  # another configuration beside those that are there
    others = [path for path in data if path not in listed] if everything else []
    foreign = _foreign(repo, config, head, metadata, own, source)
    if not foreign and others:
        foreign = f"it also holds {', '.join(sorted(others)[:3])}"
    return Standing(rows_by_split(metadata, None if everything else config), foreign)


def check_replaceable(repo: str, found: Standing | None, *, overwrite: bool) -> None:
    """UsageError for rows that are not an earlier state of what is pushed, unless they may be overwritten."""
    if found is not None and found.foreign and not overwrite:
        raise UsageError(
            f"{repo} holds {found.text} that this push would replace, and {found.foreign}. Nothing was changed. Push "
            "under another name with --repo, or replace them with --overwrite."
        )


def _foreign(
    repo: str, config: str, head: Head, metadata: Mapping[str, object], own: list[str], source: Source | None
) -> str:
    """Why what is there is not an earlier state of the same dataset; nothing where it is."""
    if lineage_file(config) not in head.files:
        return "kbtools did not write them: there is no lineage"
    try:
        theirs = lineages.read_hub(f"hf://datasets/{repo}@{head.sha}/{lineage_file(config)}").source
    except (DataError, UsageError):
        return "their lineage cannot be read"
    changed = [path for path in own if not _is_ours(path, head.files[path])]
    if changed or set(listed_files(metadata, config)) != set(own):
        return "they were changed since kbtools wrote them" + (
            f" ({', '.join(sorted(changed)[:3])})" if changed else ""
        )
    if source is None or theirs is None:
        return "it is not known whether they came from the same source"
    if _name(theirs) != _name(public_source(source)):
        return f"they were made from {_shown(theirs)}, not from {_shown(public_source(source))}"
    return ""


def _is_ours(path: str, file: RemoteFile) -> bool:
    """Whether a shard is called by the digest of its content, as kbtools calls it."""
    name = path.rpartition("/")[2]
    digest = name.removesuffix(".parquet").rpartition("-")[2]
    return bool(SHARD.match(name)) and len(digest) == 16 and (file.sha256 or "").startswith(digest)


def _name(source: Source) -> tuple[object, ...]:
    """What makes it the same source, whatever its revision."""
    return source.dataset, source.config, source.split, source.limit


def _shown(source: Source) -> str:
    parts = [f"{key} {value}" for key in ("config", "split") if (value := getattr(source, key))]
    parts += [f"its first {rows_text(source.limit)}"] if source.limit is not None else []
    return source.dataset + (f" ({', '.join(parts)})" if parts else "")
