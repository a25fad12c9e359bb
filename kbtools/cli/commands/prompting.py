"""`kbtools prompts`: list, show, compare and render prompts, and keep released versions from changing.

The lock file of a folder of prompts holds the sha256 of every released version: new wording is a new version.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from kbtools import pipeline, prompts
from kbtools.cli.options import KeyValue, pairs
from kbtools.cli.ui import completion
from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.row_views import one_split
from kbtools.cli.ui.text import printable
from kbtools.data import texts
from kbtools.data.columns import ROLES, Schema
from kbtools.data.io import text_file
from kbtools.data.io.save import write_text
from kbtools.data.table import field_of, rows_text, top_column
from kbtools.errors import DataError, UsageError, did_you_mean
from kbtools.paths import PathType
from kbtools.plugins import registry
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset

LOCK = "lock.json"


class _Prompts(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for an unknown one."""
        if args and args[0] not in self.commands:
            raise click.UsageError(f"there is no command {args[0]!r}. {did_you_mean(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Prompts, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def prompts_command(ctx: click.Context, as_json: bool) -> None:
    """List the prompts of all plugins; or show, compare, render or lock them."""
    if ctx.invoked_subcommand:
        return
    known = sorted(registry().prompt_files(), key=lambda prompt: (prompt.name, prompt.version, prompt.origin))
    if as_json:
        click.echo(json.dumps([_as_json(prompt) for prompt in known], ensure_ascii=False, indent=1))
        return
    table = Table("prompt", "what for", "needs", "from", "sha256")
    for prompt in known:
        front = prompt.front
        cells = (prompt.spec, front.description, ", ".join(front.columns), prompt.origin, prompt.sha256[:12])
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console().print(table)


def _as_json(prompt: prompts.Prompt) -> dict[str, object]:
    front = prompt.front.model_dump(mode="json")
    return {"name": prompt.name, "version": prompt.version, "from": prompt.origin, "sha256": prompt.sha256, **front}


@prompts_command.command("show")
@click.argument("spec", metavar="NAME[@vN]", shell_complete=completion.prompts)
def show(spec: str) -> None:
    """Print the whole file of a prompt; without a version, of the highest."""
    click.echo(printable(registry().prompt(spec).text), nl=False)


@prompts_command.command("diff")
@click.argument("old", metavar="NAME@vN", shell_complete=completion.prompts)
@click.argument("new", metavar="NAME@vM", shell_complete=completion.prompts)
def diff(old: str, new: str) -> None:
    """Show what changed between two prompts."""
    before, after = registry().prompt(old), registry().prompt(new)
    lines = difflib.unified_diff(
        before.text.splitlines(keepends=True),
        after.text.splitlines(keepends=True),
        before.spec,
        after.spec,
    )
    click.echo(printable("".join(line if line.endswith("\n") else f"{line}\n" for line in lines)), nl=False)


@prompts_command.command("render")
@click.argument("spec", metavar="NAME[@vN]", shell_complete=completion.prompts)
@click.option(
    "--dataset",
    required=True,
    metavar="NAME",
    help="Hub id, file, folder, or sample.",
    shell_complete=completion.files,
)
@click.option("--split", metavar="NAME", help="Split to take the row from.")
@click.option("--row", default=0, metavar="N", help="Index of the row.", show_default=True)
@click.option("--columns", type=KeyValue(), multiple=True, help="Which column holds a role, e.g. module_name=my_col.")
@click.option(
    "--form",
    type=click.Choice(["json", "tags", "letter"]),
    default="json",
    help="How the reply is asked for, where the prompt can ask in several ways.",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="Print the messages as JSON.")
def render(spec: str, dataset: str, split: str | None, row: int, form: str, as_json: bool, **rest: Any) -> None:
    """Print the messages that a prompt makes of one row."""
    prompt = registry().prompt(spec)
    ds = one_split(pipeline.load(dataset, split=split), dataset)
    values = values_of(prompt, ds, row, pairs(rest["columns"]))
    messages = prompt.render({"form": form, **values})
    if as_json:
        click.echo(json.dumps(messages, ensure_ascii=False, indent=1))
        return
    for message in messages:
        console().print(Text(message["role"], style="bold"))
        console().print(Text(printable(message["content"]) + "\n"), soft_wrap=True)


def values_of(prompt: prompts.Prompt, ds: Dataset, row: int, columns: Mapping[str, str]) -> dict[str, str | None]:
    """The text of every name that the prompt needs: where the layout has that role, else the column of that name."""
    if not 0 <= row < ds.num_rows:
        raise UsageError(f"--row {row}: the dataset has {rows_text(ds.num_rows)}, counted from 0.")
    schema = Schema(ds.features, columns)
    found: dict[str, str | None] = {}
    for name in prompt.front.columns:
        path = schema.find(name) if name in ROLES else schema.path(name)
        table = ds.select([row]).select_columns([top_column(ds.features, path)]).with_format("arrow")[:]
        found[name] = texts.of_cell(field_of(table, path)[0].as_py())
        if found[name] is None:
            raise UsageError(f"prompt {prompt.spec} needs {name!r}, but column {path!r} is null in row {row}.")
    return found


@prompts_command.command("lock")
@click.argument("folder", type=PathType(file_okay=False, exists=True), default="prompts")
def lock(folder: Path) -> None:
    """Write the new versions of FOLDER (default: prompts) into its lock file; refuse if a locked one has changed."""
    faults = [fault for fault in faults_of(folder) if not fault.startswith("new")]
    if faults:
        raise UsageError(_explained(folder, faults))
    locked = {prompt.spec: prompt.sha256 for prompt in sorted(prompts.read_folder(folder, ""), key=_order)}
    write_text(folder / LOCK, json.dumps(locked, indent=1) + "\n")
    click.echo(f"locked {counted(len(locked), 'prompt')} in {folder / LOCK}")


@prompts_command.command("check")
@click.argument("folder", type=PathType(file_okay=False, exists=True), default="prompts")
def check(folder: Path) -> None:
    """Check that no locked version in FOLDER (default: prompts) has changed, and that all are locked and sound."""
    faults = faults_of(folder)
    if faults:
        raise UsageError(_explained(folder, faults))
    click.echo(f"{counted(len(prompts.read_folder(folder, '')), 'prompt')} as locked")


def faults_of(folder: Path) -> list[str]:
    """What differs between a folder of prompts and its lock file, a line each; `new` ones only lack their lock."""
    locked = _locked(folder / LOCK)
    found = {prompt.spec: prompt for prompt in prompts.read_folder(folder, "")}
    for prompt in found.values():
        prompt.check()
    return [
        *(f"gone: {spec}" for spec in locked if spec not in found),
        *(f"changed: {spec}" for spec in locked if spec in found and found[spec].sha256 != locked[spec]),
        *(f"new: {spec}" for spec in found if spec not in locked),
    ]


def _locked(file: Path) -> dict[str, str]:
    """The digests that a lock file holds, by prompt; none when there is no such file."""
    locked = text_file.read_json(file, "lock") if file.exists() else {}
    if not isinstance(locked, dict):
        raise DataError(
            f"{file} must hold an object of digests by prompt, but holds {locked!r}: take the released one."
        )
    return locked


def _explained(folder: Path, faults: list[str]) -> str:
    advice = "A released version never changes: put new wording into a new version"
    return f"{folder} is not as {LOCK} says: {', '.join(faults)}. {advice}, then run: kbtools prompts lock {folder}"


def _order(prompt: prompts.Prompt) -> tuple[str, int]:
    return prompt.name, prompt.version
