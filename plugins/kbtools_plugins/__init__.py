"""The built-in stages and judges of kbtools, offered through the same hooks as anybody else's."""

from __future__ import annotations

from importlib.resources.abc import Traversable

import kbtools as kb


@kb.hookimpl
def register_stages() -> list[type[kb.Stage]]:
    """Every built-in stage."""
    from kbtools_plugins.filter import Filter

    return [Filter]


@kb.hookimpl
def register_judges() -> list[type[kb.Judge]]:
    """Every built-in judge."""
    from kbtools_plugins.model_judge import ModelJudge
    from kbtools_plugins.panel_judge import PanelJudge
    from kbtools_plugins.static.judge import StaticJudge

    return [ModelJudge, PanelJudge, StaticJudge]


@kb.hookimpl
def register_prompts() -> list[Traversable]:
    """The prompts of this distribution."""
    return [kb.prompts.root()]
