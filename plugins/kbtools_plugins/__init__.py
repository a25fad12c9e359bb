"""The built-in stages and judges of kbtools, offered through the same hooks as anybody else's."""

from __future__ import annotations

from importlib.resources.abc import Traversable

import kbtools as kb


@kb.hookimpl
def register_stages() -> list[type[kb.Stage]]:
    """Every built-in stage."""
    from kbtools_plugins.analysis.agreement import Agreement
    from kbtools_plugins.analysis.correlate import Correlate
    from kbtools_plugins.analysis.stats import Stats
    from kbtools_plugins.filter import Filter
    from kbtools_plugins.lengths.stage import Lengths

    return [Agreement, Correlate, Filter, Lengths, Stats]


@kb.hookimpl
def register_judges() -> list[type[kb.Judge]]:
    """Every built-in judge."""
    from kbtools_plugins.static.judge import StaticJudge

    return [StaticJudge]


@kb.hookimpl
def register_prompts() -> list[Traversable]:
    """The prompts of this distribution."""
    return [kb.prompts.root()]
