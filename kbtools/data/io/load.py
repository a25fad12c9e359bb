"""Loading: a name becomes a dataset on disk that is memory-mapped, and a `Source` that pins what was read.

Local files are turned into Arrow once, in the cache of `datasets`, under the digest of their content; so memory does
not grow with the file, and an edited file is never taken for the old one.
"""

from __future__ import annotations

from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.data import sample
from kbtools.data.hub import datasets as from_hub
from kbtools.data.io import hub_folder, local_files, saved_folder
from kbtools.data.io.save import files_of, split_file, split_names_beside
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import empty
from kbtools.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SAMPLE = "sample"
_OF_THE_HUB = ("revision", "config")


def read_source(source: Source) -> tuple[Dataset | DatasetDict, Source]:
    """The dataset that a source describes, and the source with the revision or digest of what was read."""
    path = sample.path() if source.dataset == SAMPLE else local_path(source.dataset)
    if path.is_dir():
        _check_fits(source, f"a local folder (hf://datasets/{path} is that of the Hub)", ("sha256", "revision"))
        data, found = _from_folder(path, source), source
    elif path.is_file():
        _check_fits(source, "the embedded sample" if source.dataset == SAMPLE else "a local file", _OF_THE_HUB)
        data, found = _from_file(path, source)
    elif parts := _split_files(path):
        _check_fits(source, f"local files, {', '.join(file.name for file in parts.values())}", ("sha256", *_OF_THE_HUB))
        data, found = _from_split_files(parts), source
    elif has_magic(source.dataset) and not from_hub.is_on_hub(source):
        _check_fits(source, "a pattern of local files", ("sha256", *_OF_THE_HUB))
        data, found = local_files.as_one(_matching(path)), source
    else:
        if not from_hub.is_on_hub(source):
            raise UsageError(_no_such_file(source.dataset))
        _check_fits(source, "a dataset on the Hub, pinned by its revision", ("sha256",))
        data, found = from_hub.read_dataset(source)
        return _limited(local_files.gatherable(data, source.dataset), source.limit), found
    return _limited(_one_split(data, source), source.limit), found


def local_sources(name: str) -> list[Path]:
    """The local files and folders that are read when a dataset is asked for by this name."""
    path = local_path(name)
    found = files_of(path)
    return found or (_glob(path) if has_magic(name) else [])


def _glob(pattern: Path) -> list[Path]:
    # Path.glob takes no absolute patterns
    return sorted(Path(name) for name in glob(str(pattern), recursive=True))  # noqa: PTH207


def _matching(pattern: Path) -> list[Path]:
    files = [file for file in _glob(pattern) if file.is_file() and not hub_folder.is_record(file)]
    if not files:
        raise UsageError(f"no file matches {str(pattern)!r}.")
    return files


def _check_fits(source: Source, kind: str, keys: Iterable[str]) -> None:
    """UsageError for a key that would have no effect on a source of this kind."""
    for key in keys:
        if (value := getattr(source, key)) is not None:
            raise UsageError(f"{source.dataset} is {kind}: {key} {value!r} means nothing there, so leave it out.")


def _from_folder(path: Path, source: Source) -> Dataset | DatasetDict:
    import datasets

    if saved_folder.is_saved(path):
        _check_fits(source, "a saved dataset", ("config",))
        return local_files.gatherable(saved_folder.read_folder(path), path)
    splits = hub_folder.files_by_split(path, source.config)
    return datasets.DatasetDict({name: local_files.as_one(files) for name, files in splits.items()})


def _from_file(path: Path, source: Source) -> tuple[Dataset, Source]:
    data, digest = local_files.as_dataset(path)
    if source.sha256 and source.sha256 != digest:
        raise DataError(
            f"{path} is not the file that the recipe was made from, or has changed since the run began: its sha256 is "
            f"{digest[:12]}…, not {source.sha256[:12]}…. Give the original file, or take sha256 out of the recipe."
        )
    return data, source.model_copy(update={"sha256": digest})


def _split_files(path: Path) -> dict[str, Path]:
    """The files `NAME-<split>.ext` that saving several splits as NAME.ext leaves, by split."""
    return {name: split_file(path, name) for name in split_names_beside(path)}


def _from_split_files(parts: dict[str, Path]) -> DatasetDict:
    """The splits; of JSON lines one without rows says no columns, so it has those of the others."""
    import datasets

    splits = {name: local_files.as_dataset(file)[0] for name, file in parts.items()}
    known = next((ds.features for ds in splits.values() if ds.features), datasets.Features())
    return datasets.DatasetDict({name: ds if ds.features else empty(known) for name, ds in splits.items()})


def _one_split(data: Dataset | DatasetDict, source: Source) -> Dataset | DatasetDict:
    if source.split is None:
        return data
    if not isinstance(data, dict):
        if source.split == "train":
            return data
        raise UsageError(f"{source.dataset} has no splits, so --split {source.split!r} cannot be chosen from it.")
    if source.split not in data:
        raise UsageError(f"{source.dataset} has no split {source.split!r}. {did_you_mean(source.split, data)}")
    return data[source.split]


def _limited(data: Dataset | DatasetDict, limit: int | None) -> Dataset | DatasetDict:
    if limit is None:
        return data
    if isinstance(data, dict):
        return type(data)({name: _limited(ds, limit) for name, ds in data.items()})
    return data.select(range(min(limit, data.num_rows)))


def _no_such_file(name: str) -> str:
    path = Path(name)
    if "://" in name:
        return f"{name!r} is an address, and only files and datasets of the Hub are loaded: download it first."
    if path.is_symlink() and not path.exists():
        return f"{name!r} is a link to {str(path.readlink())!r}, and nothing is there."
    if not path.parent.is_dir():
        return f"there is no file {name!r}, nor the folder {str(path.parent)!r}."
    if path.exists():
        return f"{name!r} is neither a file nor a folder: write what comes out of it to a file, and load that."
    siblings = [str(sibling) for sibling in path.parent.iterdir()]
    return f"there is no file {name!r}. {did_you_mean(str(path), siblings, all_if_none_near=False)}".rstrip()
