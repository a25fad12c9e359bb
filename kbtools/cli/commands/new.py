"""`kbtools new`: a plugin package that is ready for `pip install -e`."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path

import click

from kbtools.cli.templating import write_package
from kbtools.errors import KbError, UsageError
from kbtools.paths import PathType
from kbtools.plugins import registry

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RESERVED = ("judge", "model", "pipeline")

_out = click.option("--out", default=".", type=PathType(file_okay=False), help="Folder to write the package into.")


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
    write_package(kind, target, _words(name), {})
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
