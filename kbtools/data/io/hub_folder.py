"""Which files of a folder are which split: as the Hub and `datasets.load_dataset` have it, by names and by the card.

The resolution is that of `datasets`. What it takes without a word is refused here: shards of which some are missing,
and files that would be left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data.io.data_file import READS, holds_rows, is_named
from kbtools.errors import DataError, UsageError
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import BuilderConfig

_SHARD = re.compile(r"(?P<stem>.*)-(?P<index>\d{5})-of-(?P<count>\d{5})(?P<rest>.*)")
_READ = ("parquet", "json", "csv", "arrow")


def is_record(path: Path) -> bool:
    """Whether a file is a lineage that kbtools has put beside rows."""
    return path.name.endswith((".lineage.json", "kbtools-lineage.json"))


def files_by_split(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """The files of each split of a configuration; DataError when the folder holds no dataset that can be read whole."""
    listed = _says_its_files(folder)
    found = _resolved(folder, config, listed=listed)
    splits = {
        str(name): [path for path in map(Path, files) if not is_record(path)]
        for name, files in (found.data_files or {}).items()
    }
    splits = {name: files for name, files in splits.items() if files}
    if not splits:
        raise DataError(f"{folder} holds no data files. kbtools reads {READS}.")
    for files in splits.values():
        _check_whole(files)
    if not listed:
        _check_none_left_out(folder, [file for files in splits.values() for file in files])
    return splits


def _says_its_files(folder: Path) -> bool:
    """Whether the card lists the files of each configuration."""
    import yaml
    from huggingface_hub import DatasetCard

    card = folder / "README.md"
    try:
        return card.is_file() and "configs" in DatasetCard.load(card).data.to_dict()
    except (yaml.YAMLError, ValueError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{card}: the head between its lines of --- is not YAML ({why}). Mend or remove it.") from None


def _resolved(folder: Path, config: str | None, *, listed: bool) -> BuilderConfig:
    import datasets
    from datasets.data_files import EmptyDatasetError
    from datasets.exceptions import DataFilesNotFoundError, DatasetGenerationError

    try:
        builder = datasets.load_dataset_builder(str(folder), config)
    except (EmptyDatasetError, DataFilesNotFoundError) as error:
        if listed:
            raise DataError(f"{folder}: none of the files that its README.md lists is there ({error}).") from None
        raise DataError(
            f"{folder} is a folder with neither a saved dataset (save_to_disk) nor data files. kbtools reads {READS}."
        ) from None
    except (ValueError, FileNotFoundError, DatasetGenerationError) as error:
        raise UsageError(f"loading the folder {folder} (--config chooses a configuration): {error}") from None
    kind = type(builder.config).__name__.removesuffix("Config").lower()
    if kind not in _READ:
        raise DataError(f"{folder} holds files of the kind {kind}. kbtools reads {READS}.")
    _check_options(builder.config, folder)
    return builder.config


def _check_options(config: BuilderConfig, folder: Path) -> None:
    """DataError for options of reading that a card gives: kbtools reads strictly, and does not know them."""
    plain = type(config)()
    own = ("name", "version", "data_dir", "data_files", "description", "features")
    given = {
        name: value
        for name, value in vars(config).items()
        if name not in own and value != getattr(plain, name) and not (name == "sep" and value == "\t")
    }
    if given:
        named = ", ".join(f"{name} = {value!r}" for name, value in given.items())
        raise DataError(
            f"{folder}: its card asks for files to be read with {named}, which kbtools does not do. Load it with "
            "`datasets` and save it with save_to_disk."
        )


def _check_whole(files: Iterable[Path]) -> None:
    """DataError when files are called shards of a number, and are another number."""
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in files:
        if match := _SHARD.fullmatch(path.name):
            found[(str(path.parent), match["stem"])][match["count"]].append(match["index"])
    for (folder, stem), counts in found.items():
        if len(counts) > 1:
            raise DataError(
                f"{folder} has shards of {stem} out of {' and of '.join(str(int(count)) for count in counts)}: they "
                "are of several writings. Delete the older ones, or choose with a pattern of names."
            )
        ((count, indices),) = counts.items()
        wanted = [f"{number:05d}" for number in range(int(count))]
        if sorted(indices) != wanted:
            odd = sorted(set(wanted) - set(indices)) or [index for index in indices if indices.count(index) > 1][:1]
            what = "missing" if set(wanted) - set(indices) else "there more than once"
            raise DataError(
                f"{folder}: of the {counted(int(count), 'shard')} of {stem}, {', '.join(odd[:5])} is {what}. Load "
                "them again, or choose files with a pattern of names."
            )


def _check_none_left_out(folder: Path, taken: Sequence[Path]) -> None:
    """DataError for data files beside those that are read, which `datasets` passes over without a word."""
    folders = {path.resolve().parent for path in taken}
    known, endings = {path.resolve() for path in taken}, {path.suffix for path in taken}
    left = [
        path.relative_to(folder)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.resolve().parent in folders
        and path.resolve() not in known
        and is_named(path.name)
        and not is_record(path)
        and (path.suffix in endings or holds_rows(path.name))
        and not path.name.startswith(".")
        and path.name not in _METADATA
    ]
    if left:
        raise DataError(
            f"{folder}: {', '.join(map(str, left[:5]))} would be left out, being of another kind than the other files "
            "or by their names of no split. Name each file after its split, or give the files with a pattern, such as "
            f"'{folder}/*{left[0].suffix}'."
        )


_METADATA = ("config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json")
"""Files that `datasets` itself does not take for rows."""
