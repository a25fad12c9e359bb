"""Packages from the templates beside this module: written aside, and there only when they are whole.

Templates are files whose paths and texts hold `@NAME@` and the like; their `.tmpl` endings keep tools from reading
them as code.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from kbtools.data.io.source import aside
from kbtools.errors import ConfigError, UsageError, reason


def write_package(kind: str, target: Path, words: Mapping[str, str], more: Mapping[str, str]) -> None:
    """Fill the templates of a kind into a new folder, with more files beside them; UsageError where it is there."""
    if target.exists():
        raise UsageError(f"{target} exists already: give another name.")
    part = aside(target)
    texts = {
        _filled(path, words).removesuffix(".tmpl"): _filled(text, words)
        for path, text in _files(resources.files("kbtools.cli") / "templates" / kind)
    }
    try:
        for path, text in {**texts, **more}.items():
            file = part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        part.rename(target)
    except OSError as error:
        raise ConfigError(f"{target} could not be written ({reason(error)}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _filled(text: str, words: Mapping[str, str]) -> str:
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def _files(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every template."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{below}{entry.name}/")
        elif entry.name.endswith(".tmpl"):
            yield f"{below}{entry.name}", entry.read_text(encoding="utf-8")
