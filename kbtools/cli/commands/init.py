"""`kbtools init`: a commented `.env` and `recipe.toml` for a dataset, ready to run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kbtools import pipeline
from kbtools.cli.ui import completion
from kbtools.cli.ui.row_views import one_split
from kbtools.data.columns import ROLES, Schema
from kbtools.data.io.save import write_text
from kbtools.errors import SchemaError, UsageError

if TYPE_CHECKING:
    from datasets import Features

_FILES = (".env", "recipe.toml")


@click.command()
@click.argument("dataset", shell_complete=completion.datasets)
@click.option("--model", metavar="SPEC", help="Model of stages that ask one; asked for on a terminal.")
@click.option("--overwrite", is_flag=True, help="Replace the two files.")
def init_command(dataset: str, model: str | None, overwrite: bool) -> None:
    """Write .env and recipe.toml for DATASET into this folder: Hub id, file, folder, or sample.

    Both are commented. The recipe has the stages that the columns allow and can be run as it is; where results are
    pushed to is left open.
    """
    there = [name for name in _FILES if Path(name).exists()]
    if there and not overwrite:
        raise UsageError(f"{' and '.join(there)}: there already. Give --overwrite to replace what is there.")
    features = one_split(pipeline.load(dataset, limit=1), dataset).features
    if model is None:
        model = _asked() if sys.stdin.isatty() else ""
    roles = _roles(features)
    write_text(Path(".env"), "\n".join(_env(dataset, model)) + "\n")
    write_text(Path("recipe.toml"), "\n".join(_recipe(dataset, roles, model)) + "\n")
    click.echo(f"recognised: {', '.join(f'{role} = {path}' for role, path in roles.items()) or 'no column'}")
    click.echo("wrote .env, recipe.toml. Next: kbtools run recipe.toml --dry-run")


def _asked() -> str:
    """The model spec that the user types, which may be none."""
    text = "Model (openai:NAME, prime:NAME, http://HOST/v1#NAME, serve:PATH, hf:PATH; empty for none)"
    found: str = click.prompt(text, default="", show_default=False, err=True)
    return found.strip()


def _roles(features: Features) -> dict[str, str]:
    """The column of each role that has one."""
    found = {}
    for role in sorted(ROLES):
        try:
            found[role] = Schema(features).find(role)
        except SchemaError:  # none, or several: the recipe says how to name it
            continue
    return found


def _env(dataset: str, model: str) -> Iterator[str]:
    yield "# Read by every kbtools command in this folder; a variable that is set already wins. Keep it out of git."
    yield "# What is read where no --dataset is given."
    yield f"DATASET_PATH={json.dumps(dataset)}"
    yield "# The model of stages that ask one. `kbtools models` says which is used, and whether it answers."
    yield f"KBTOOLS_MODEL={json.dumps(model)}" if model else "# KBTOOLS_MODEL=openai:gpt-5.2"
    yield "# Keys of the servers: openai: reads the first, prime: the other two."
    yield from ("# OPENAI_API_KEY=", "# PRIME_API_KEY=", "# PRIME_TEAM_ID=")
    yield "# Needed to push, and for private or gated datasets."
    yield "# HF_TOKEN="
    yield "# Only 5 rows of each split, for a first try."
    yield "# TEST_MODE=true"


def _recipe(dataset: str, roles: dict[str, str], model: str) -> Iterator[str]:
    yield f"# Made by `kbtools init` for {dataset}. Run it with: kbtools run recipe.toml [--dry-run] [--limit 5]"
    yield "# Columns that were recognised (name another with --columns ROLE=COLUMN):"
    yield from (f"#   {role:15} {path}" for role, path in roles.items())
    yield from (f"#   {role:15} not found" for role in sorted(ROLES - roles.keys()))
    yield from ("", "[source]", f"dataset = {json.dumps(dataset)}")
    if "reward" in roles:
        yield from _stage("filter", "Keep the rows that are good enough.", f"where = {_quoted(roles['reward'])}")
    if "reference_code" in roles:
        judge = 'judge = "model" # asks the model of .env' if model else 'judge = "static" # "model" asks a model'
        yield from _stage("judge", "Difficulty and style become columns.", judge)
    if "completion" in roles:
        yield from _stage("strip-reasoning", "Only the answer stays.", 'on_error = "drop" # counted')
    if {"module_name", "reward"} <= roles.keys():
        yield from _stage("dedup", "The best row of each module.", 'key = ["module_name"]')
    if "module_name" in roles:
        yield from _stage("split", "No module is on both sides.", "validation = 0.1")
    yield from ("", "# Where to: without this outputs/<dataset>-<what was done>.parquet, a file for each split.")
    yield from ("# [output]", '# out = ""', "", "# To publish it:", "# [[stages]]", '# stage = "push"')
    yield from ('# repo = "" # OWNER/NAME', '# license = "" # needed where the source names none')


def _stage(name: str, why: str, field: str) -> Iterator[str]:
    yield from ("", f"# {why} `kbtools stages {name}` explains it.", "[[stages]]", f'stage = "{name}"', field)


def _quoted(path: str) -> str:
    return json.dumps(f"{path} > 0.85")
