"""`kbtools env`: an installable environment from a dataset, whose rewards come from `kbtools serve-verify`.

The package holds names and prompts of tasks; the references stay where the dataset is.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kbtools.cli.templating import write_package
from kbtools.errors import UsageError
from kbtools.paths import PathType
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset

_PROMPT = "triton-conversion"


@click.command()
@click.argument("out", type=PathType(file_okay=False))
@click.option("--dataset", required=True, help="Where the tasks are: a Hub id, a file, or `sample`.")
@click.option("--split", help="Split of the dataset.")
@click.option("--task-column", default="module_name", show_default=True, help="Column with the names of the tasks.")
@click.option("--prompt", default="", help=f"Versioned prompt; by default the column `prompt`, or else {_PROMPT}.")
def env_command(out: Path, dataset: str, split: str | None, task_column: str, prompt: str) -> None:
    """Write an environment for verifiers, and a reward function for TRL, into the new folder OUT."""
    from kbtools.data.tasks import tasks_of
    from kbtools.pipeline import load

    name = out.name.lower().replace("_", "-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"{out.name!r} cannot be a package's name: end OUT with lower-case words joined by -.")
    rows = load(dataset, split=split)
    if isinstance(rows, dict):
        raise UsageError(f"{dataset} has the splits {', '.join(rows)}: choose one with --split.")
    tasks = tasks_of(rows, task_column)
    prompts = _prompts(rows, [task.row for task in tasks.values()], prompt)
    module = name.replace("-", "_")
    words = {
        "@DIST@": name,
        "@MODULE@": module,
        "@SOURCE@": dataset,
        "@TASK_COLUMN@": task_column,
        "@COUNT@": str(len(tasks)),
        "@KBTOOLS@": importlib.metadata.version("kbtools"),
    }
    lines = (json.dumps({"task": task, "prompt": messages}) for task, messages in zip(tasks, prompts, strict=True))
    write_package("environment", out, words, {f"{module}/tasks.jsonl": "".join(f"{line}\n" for line in lines)})
    click.echo(f"wrote {counted(len(tasks), 'task')} to {out}. Next:")
    click.echo(f"  kbtools serve-verify --dataset {dataset} --task-column {task_column}\n  pip install -e {out}")
    click.echo(f"  vf-eval {name} -n 3")


def _prompts(ds: Dataset, rows: Sequence[int], spec: str) -> Iterator[list[dict[str, str]]]:
    """The prompt of each of these rows: its own, or a versioned one made of its columns."""
    from kbtools.data.columns import Schema
    from kbtools.data.table import field_of
    from kbtools.plugins import prompt

    schema = Schema(ds.features)
    ready = not spec and schema.has("prompt")
    template = None if ready else prompt(spec or _PROMPT)
    wanted = {"prompt": schema.require(schema.find("prompt"), "messages")} if ready else {}
    if template:
        wanted = {role: schema.locate(role) for role in template.front.columns}
    for row in rows:
        table = ds.select([row]).with_format("arrow")[:]
        values = {role: field_of(table, path)[0].as_py() for role, path in wanted.items()}
        yield template.render(values) if template else _plain(values["prompt"])


def _plain(prompt: Any) -> list[dict[str, str]]:
    """The messages of a cell, which may be a text."""
    from kbtools.data.conversations.messages import decode, looks_encoded

    if isinstance(prompt, str) and not looks_encoded(prompt):
        return [{"role": "user", "content": prompt}]
    return [{"role": message["role"], "content": message["content"]} for message in decode(prompt)]
