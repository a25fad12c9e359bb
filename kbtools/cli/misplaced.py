"""Words of a chain that stand where they mean nothing: what is said of them, and where they belong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from kbtools.errors import option
from kbtools.plugins import registry

_FEW = 3
"""Stages that are named as owners of an option."""


def no_stage(word: str, pushing: bool, last: str | None) -> str:
    """What is said of a word in the place of a stage that is meant for something else; nothing of a misspelt name.

    `last` is the stage before it.
    """
    if pushing and "/" in word:
        return f"{word!r} is no stage, and --push takes no value: write --push --repo {word}"
    if not last or re.fullmatch(r"[\w./-]+", word):
        return ""
    fields = registry().stage(last).model_fields.items()
    needed = next((option(name) for name, field in fields if field.is_required()), "--OPTION")
    return f"{word!r} is no stage. As a value of {last!r} it needs its option before it: {last} {needed} {word!r}"


def whose(flag: str) -> str:
    """Which stages have an option; nothing where none has, or most could be meant."""
    judges = {f"judge --judge {name}": cls for name, cls in registry().judges().items()}
    known = {**registry().stages(), **judges}
    owners = sorted(name for name, cls in known.items() if flag in (option(field) for field in cls.model_fields))
    if not owners or len(owners) > _FEW:
        return ""
    names = " and ".join(owners)
    return f"{flag} is an option of {names}: write it after its stage's name, as in `{owners[0]} {flag} ...`."


def recipes_here() -> str:
    """The recipes in this folder and in `recipes/`, by the names or stages that are in them."""
    files = [*sorted(Path().glob("*.toml")), *sorted(Path("recipes").glob("*.toml"))]
    found = [f"\n  kbtools run {file}  # {text}" for file in files if (text := _contents(file))]
    if not found:
        return "There is none in this folder or in recipes/: `kbtools init DATASET` writes one."
    return "Found here:" + "".join(found)


def _contents(file: Path) -> str:
    """What a recipe does, in a few words; nothing of a file that is none."""
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):  # somebody else's file
        return ""
    for table, key in (("recipe", "name"), ("stages", "stage")):
        entries = written.get(table)
        if isinstance(entries, list):
            return ", ".join(str(entry.get(key)) for entry in entries if isinstance(entry, dict))
    return ""
