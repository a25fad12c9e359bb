"""Stages as recipes write them: a name and the fields that are not at their defaults; and back again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from kbtools.data.columns import ROLES
from kbtools.errors import UsageError, did_you_mean, explain
from kbtools.lineage import Recipe
from kbtools.plugins import registry
from kbtools.stage import Stage


def entry(stage: Stage) -> dict[str, Any]:
    """A stage as a recipe writes it."""
    return stage.recipe_entry()


def build(recipe: Recipe, spell: Callable[[str], str] | None = None) -> tuple[Stage, ...]:
    """The stages of a recipe; UsageError names the stage and the key, as `spell` writes it, that does not fit."""
    return tuple(
        _build(position, dict(fields), recipe.seed, spell) for position, fields in enumerate(recipe.stages, start=1)
    )


def _build(position: int, fields: dict[str, Any], seed: int | None, spell: Callable[[str], str] | None) -> Stage:
    name = fields.pop("stage", None)
    if not isinstance(name, str):
        raise UsageError(f"stage {position}: the key `stage` must name the stage.")
    return make(name, fields, where=f"stage {position} ({name})", seed=seed, spell=spell)


def make(
    name: str,
    fields: dict[str, Any],
    *,
    where: str,
    seed: int | None = None,
    spell: Callable[[str], str] | None = None,
) -> Stage:
    """A stage from its name and fields; UsageError with the nearest field for an unknown one."""
    cls = registry().stage(name).chosen(fields)
    if seed is not None and "seed" in cls.model_fields:
        fields = {"seed": seed, **fields}
    for role in fields.get("columns", {}):
        if role not in ROLES:
            raise UsageError(f"{where}: no role is called {role!r}. {did_you_mean(role, ROLES)}")
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        raise UsageError(f"{where}: {explain(error, cls, spell)}") from error
