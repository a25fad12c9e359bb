"""`--push` and the options that go with it: they append the stage `push`, whose fields they are, to the chain."""

from __future__ import annotations

from collections.abc import Mapping

import click

from kbtools.cli.options import stage_options
from kbtools.errors import UsageError
from kbtools.lineage import Recipe
from kbtools.plugins import registry


def push_options() -> list[click.Option]:
    """The fields of the stage `push` as options of the run."""
    if "push" not in registry().offers("stage"):
        return []
    return [option for option in stage_options(registry().stage("push")) if option.name != "overwrite"]


def with_push(recipe: Recipe, push: bool, fields: Mapping[str, object], *, overwrite: bool) -> Recipe:
    """The recipe with a push at its end, if one was asked for; UsageError for options of a push that is not there.

    `overwrite` holds for every push of the run.
    """
    if fields and not push:
        names = ", ".join("--" + name.replace("_", "-") for name in fields)
        raise UsageError(f"{names}: say how to push, but nothing is to be pushed. Add --push.")
    stages = (*recipe.stages, *([{"stage": "push", **fields}] if push else []))
    own = {"overwrite": True} if overwrite else {}
    stages = tuple({**stage, **own} if stage.get("stage") == "push" else stage for stage in stages)
    return recipe.model_copy(update={"stages": stages})
