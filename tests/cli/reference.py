"""Writes docs/stages.md from the code: `python -m tests.cli.reference`; `--check` only says whether it is stale.

The page names every command, stage and judge with its options; what an option means is what `--help` says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from kbtools.cli import kbtools as program
from kbtools.cli.ui.describe import FieldCard, card, field_card
from kbtools.errors import UsageError
from kbtools.llm.options import CallOptions
from kbtools.plugins import registry
from kbtools.stage import Stage

PAGE = Path(__file__).parents[2] / "docs" / "stages.md"
_HEAD = """\
# Commands, stages and judges

<!-- Made from the code by `python -m tests.cli.reference`: edit the docstrings, not this page. -->

`kbtools COMMAND --help`, `kbtools stages NAME` and `kbtools judges NAME` explain every option; the last two know the
stages of other packages too. Exit codes: 0 done, 1 some rows failed (the failures are named), 2 wrong usage or data
that does not fit, 3 configuration or credentials, 130 interrupted.
"""
_STAGES = """\
## Stages

A field of a stage is a keyword argument in Python, an option on the command line (`min_rows` is `--min-rows`) and a key
in a recipe. Below are the fields with their defaults. Every stage also takes `columns`, as `--columns ROLE=COLUMN`:
which column holds a role, such as `module_name` or `reward`, where the layout of the dataset does not say it.
"""
_JUDGES = """\
## Judges

A judge is a stage too: `kbtools apply judge --judge NAME`, or its class in Python.
"""


def page() -> str:
    """The text of the page; UsageError where plugins of others would become part of it."""
    foreign = sorted({p.origin.distribution for p in registry().plugins} - {"kbtools"})
    if foreign:
        raise UsageError(f"the page describes kbtools alone, but plugins are installed: {', '.join(foreign)}.")
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (_HEAD, "## Commands", "", "| command | what it does |", "|---|---|")
    with click.Context(program, info_name="kbtools") as ctx:
        commands = {name: program.get_command(ctx, name) for name in program.list_commands(ctx)}
        yield from (f"| `{name}` | {_cell(each.get_short_help_str(200))} |" for name, each in commands.items() if each)
    calls = [field_card(name, field) for name, field in CallOptions.model_fields.items()]
    yield from ("", _STAGES, f"*Call options* of the stages that ask a model: {_fields(calls)}.", "")
    yield from _table("stage", registry().stages())
    yield from ("", _JUDGES)
    yield from _table("judge", registry().judges())


def _table(kind: str, known: Mapping[str, type[Stage]]) -> Iterator[str]:
    yield from (f"| {kind} | in Python | what it does | fields |", "|---|---|---|---|")
    for name, cls in sorted(known.items()):
        each = card(name, cls)
        shared = CallOptions.model_fields if issubclass(cls, CallOptions) else {}
        own = [field for field in each.fields if field.name not in {"columns", *shared}]
        fields = ", ".join([_fields(own), *(["call options"] if shared else [])])
        yield f"| `{name}` | `kbtools.{each.python}` | {_cell(each.summary)} | {_cell(fields)} |"


def _fields(fields: Iterable[FieldCard]) -> str:
    return ", ".join(_field(field) for field in fields)


def _field(field: FieldCard) -> str:
    if field.required:
        return f"`{field.name}` (required)"
    return f"`{field.name}`" if field.default == "none" else f"`{field.name}={field.default}`"


def _cell(text: str) -> str:
    """A vertical bar would end the cell, and an angle bracket begin a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when the page is stale.")
def main(check: bool) -> None:
    """Write docs/stages.md."""
    text = page()
    if check:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == text else "stale: run python -m tests.cli.reference")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
