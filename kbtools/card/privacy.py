"""A lineage as it may be published: what `kbtools.private_text` takes out of texts is in none of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin

from kbtools.data.hub import datasets as from_hub
from kbtools.data.io.load import SAMPLE
from kbtools.data.io.source import Source
from kbtools.figures import CodeExcerpt
from kbtools.lineage import Lineage, StageRecord
from kbtools.plugins import registry
from kbtools.private_text import Cleaner, file_name, of_this_machine
from kbtools.stage import Stage

_AS_THEY_ARE = ("stage", "distribution", "version")
_EXCERPT = frozenset(CodeExcerpt.model_fields)
"""Keys of a code that a stage quotes: rows of a dataset, in which `x@weight` is no address."""
_FIELDS = frozenset((*Lineage.model_fields, *StageRecord.model_fields))


def public(lineage: Lineage, said: Collection[str] = ()) -> Lineage:
    """The lineage as it may be published; words that are `said` in public beside it are kept, such as the owner."""
    source = public_source(lineage.source) if lineage.source else None
    whole = lineage.model_dump(mode="json", exclude={"source", "versions"})
    owner = source.dataset.split("/")[:1] if source and from_hub.is_on_hub(source) else []
    cleaner = of_this_machine().told_by(_texts(lineage.model_dump(mode="json")), [*said, *owner])
    stages = [_settings(fields, cleaner) for fields in whole.pop("stages")]
    rest = {"source": source, "versions": lineage.versions, "stages": stages}
    return Lineage.model_validate({**_cleaned(whole, cleaner), **rest})


def public_source(source: Source) -> Source:
    """A source without the folder that a file is in."""
    if source.dataset == SAMPLE or from_hub.is_on_hub(source):
        return source
    return source.model_copy(update={"dataset": of_this_machine().text(file_name(source.dataset))})


def public_text(text: str) -> str:
    """A section of a card that an earlier kbtools wrote, which may have left out less; names of columns are kept."""
    said = re.findall(r"`([^`\s]+)`", text)
    return of_this_machine().told_by([text], said).text(text)


def _settings(fields: dict[str, Any], cleaner: Cleaner) -> dict[str, Any]:
    """The settings of a stage; a value that was chosen from a list is a word of kbtools, whatever users are called."""
    kept = {*_choices(registry().class_of(fields)), *_AS_THEY_ARE}
    return {key: value if key in kept else _cleaned(value, cleaner) for key, value in fields.items()}


@cache
def _choices(stage: type[Stage] | None) -> frozenset[str]:
    """The fields of a stage whose values are chosen from a list."""
    known = stage.model_fields if stage else {}
    return frozenset(name for name in known if _is_choice(known[name].annotation))


def _is_choice(annotation: object) -> bool:
    return get_origin(annotation) is Literal or any(map(_is_choice, get_args(annotation)))


def _cleaned(value: object, cleaner: Cleaner) -> Any:
    if isinstance(value, dict) and value.keys() == _EXCERPT:
        return {**value, "name": cleaner.text(value["name"])}
    if isinstance(value, dict):
        return {
            key if key in _FIELDS else cleaner.text(key): part if key in _AS_THEY_ARE else _cleaned(part, cleaner)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_cleaned(part, cleaner) for part in value]
    return cleaner.text(value) if isinstance(value, str) else value


def _texts(value: object) -> Iterator[str]:
    parts: Iterable[object] = ()
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        parts = [value["name"]] if value.keys() == _EXCERPT else [*value, *value.values()]
    elif isinstance(value, list):
        parts = value
    for part in parts:
        yield from _texts(part)
