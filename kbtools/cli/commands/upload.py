"""`kbtools upload`: publish one of the datasets of the KernelBook pipeline, split 90/10 by module.

What is read is named by the variables that the old scripts had, where it goes by others: nothing is both.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from kbtools import pipeline
from kbtools.cli.commands.chain import given_options, run_options
from kbtools.cli.options import OnceCommand
from kbtools.cli.running import engine_of, execute, source_of
from kbtools.data.io.source import Source
from kbtools.lineage import Recipe


@dataclass(frozen=True)
class _Kind:
    """A dataset of the pipeline: the variables that name it and its repository, and how it is made."""

    name: str
    made_by: str
    is_split: bool = True

    @property
    def path(self) -> str:
        """Variable that says what is read."""
        return f"{self._prefix}DATASET_PATH"

    @property
    def repo(self) -> str:
        """Variable that says where it goes."""
        return f"{self._prefix}DATASET_REPO"

    @property
    def _prefix(self) -> str:
        return "" if self.name == "all" else f"{self.name.upper()}_"


_KINDS = {
    kind.name: kind
    for kind in (
        _Kind("all", "`convert-rollouts` makes it of rollouts"),
        _Kind("filtered", "`filter` and `judge` make it of all rows"),
        _Kind("unique", "`dedup` makes it of the filtered rows"),
        _Kind("synthetic", "`generate-prompts` makes it of KernelBook", is_split=False),
    )
}
_SPLIT = {"stage": "split", "validation": 0.1, "seed": 42}


@click.command(cls=OnceCommand, params=[click.Argument(["kind"], type=click.Choice(list(_KINDS))), *run_options()])
@click.pass_context
def upload_command(ctx: click.Context, kind: str) -> int:
    """Publish a finished dataset: all rollouts, the filtered ones, the unique ones, or the synthetic tasks.

    Read is --dataset, or DATASET_PATH, FILTERED_DATASET_PATH, UNIQUE_DATASET_PATH, SYNTHETIC_DATASET_PATH. It goes to
    --repo, or DATASET_REPO, FILTERED_DATASET_REPO and so on, or else to a repository of yours that is called as the
    file is. All but the synthetic tasks are split 90/10 by module, unless they are split already. What kbtools did not
    write there from the same source is not replaced.
    """
    options, chosen = given_options(ctx), _KINDS[kind]
    no_dataset = f"no dataset to upload: give --dataset NAME, or set {chosen.path}. ({chosen.made_by}.)"
    options = options.model_copy(
        update={"dataset": options.dataset or os.environ.get(chosen.path) or None, "no_dataset": no_dataset}
    )
    source = source_of(options) if options.dataset else None
    fields = dict(options.push_fields)
    if repo := fields.get("repo") or os.environ.get(chosen.repo):
        fields["repo"] = repo
    stages: tuple[dict[str, object], ...] = (_SPLIT,) if chosen.is_split and not (source and _is_split(source)) else ()
    recipe = Recipe(source=source, seed=options.seed, stages=stages, engine=engine_of(options))
    return execute(recipe, options.model_copy(update={"push": True, "push_fields": fields}))


def _is_split(source: Source) -> bool:
    data = pipeline.load_source(source)
    return isinstance(data, dict) and len(data) > 1
