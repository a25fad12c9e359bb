"""`--push` and the options that go with it: they append the stage `push`, whose fields they are, to the chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from kbtools.cli.options import stage_options
from kbtools.errors import UsageError
from kbtools.lineage import Recipe
from kbtools.plugins import registry


def push_options() -> list[click.Option]:
    """The fields of the stage `push` as options of the run."""
    push = registry().stages().get("push")
    return stage_options(push) if push else []


def with_push(recipe: Recipe, push: bool, fields: Mapping[str, Any]) -> Recipe:
    """The recipe with a push at its end, if one was asked for; UsageError for options of a push that is not there."""
    if fields and not push:
        names = ", ".join("--" + name.replace("_", "-") for name in fields)
        raise UsageError(f"{names}: say how to push, but nothing is to be pushed. Add --push.")
    if not push:
        return recipe
    return recipe.model_copy(update={"stages": (*recipe.stages, {"stage": "push", **fields})})
