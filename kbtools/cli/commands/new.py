"""`kbtools new`: a plugin package from the templates beside this module, ready for `pip install -e`.

Templates are files whose paths and texts hold `@NAME@` and the like; their `.tmpl` endings keep tools from reading
them as code.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from kbtools.errors import ConfigError, KbError, UsageError, reason
from kbtools.plugins import registry

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RESERVED = ("judge", "model", "pipeline")

_out = click.option(
    "--out", default=".", type=click.Path(file_okay=False, path_type=Path), help="Folder to write the package into."
)


@click.group()
def new_command() -> None:
    """Write a plugin package that passes its own tests right after `pip install -e`."""


@new_command.command("judge")
@click.argument("name")
@_out
def judge(name: str, out: Path) -> None:
    """Write a package with a judge, a prompt and their tests, as kbtools-NAME."""
    _write("judge", name, out)


@new_command.command("stage")
@click.argument("name")
@_out
def stage(name: str, out: Path) -> None:
    """Write a package with a stage and its tests, as kbtools-NAME."""
    _write("stage", name, out)


def _write(kind: str, name: str, out: Path) -> None:
    _check(kind, name)
    target = out / f"kbtools-{name}"
    if target.exists():
        raise UsageError(f"{target} exists already: give another name, or another folder with --out.")
    words = _words(name)
    part = out / f".{target.name}.{os.getpid()}.part"
    try:
        for path, text in _files(resources.files("kbtools.cli") / "templates" / kind):
            file = part / _filled(path, words).removesuffix(".tmpl")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_filled(text, words), encoding="utf-8")
        part.rename(target)
    except OSError as error:
        raise ConfigError(f"{target} could not be written ({reason(error)}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    run = f"--dataset sample {name}" if kind == "stage" else f"--dataset sample judge --judge {name}"
    click.echo(f"wrote {target}. Next:\n  pip install -e '{target}[test]'\n  pytest {target}\n  kbtools apply {run}")


def _check(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a {kind}: write lower-case words joined by -, as in my-{kind}."
        )
    if name in _RESERVED:
        raise UsageError(f"{name!r} is a name that kbtools keeps for itself: take a name of your own.")
    look_up = registry().judge if kind == "judge" else registry().stage
    try:
        cls = look_up(name)
    except KbError:
        return
    raise UsageError(f"there is a {kind} {name!r} already ({cls.__module__}): take a name of your own.")


def _words(name: str) -> Mapping[str, str]:
    plain = name.replace("-", "_")
    return {
        "@NAME@": name,
        "@DIST@": f"kbtools-{name}",
        "@MODULE@": f"kbtools_{plain}",
        "@CLASS@": "".join(word.capitalize() for word in name.split("-")),
        "@FIELD@": f"{plain}_score",
        "@KBTOOLS@": importlib.metadata.version("kbtools"),
    }


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
