"""The built-in stages and judges of kbtools, offered through the same hooks as anybody else's."""

from __future__ import annotations

from importlib.resources.abc import Traversable

import kbtools as kb


@kb.hookimpl
def register_stages() -> list[type[kb.Stage]]:
    """Every built-in stage."""
    from kbtools_plugins.compare import Compare
    from kbtools_plugins.dedup import Dedup
    from kbtools_plugins.filter import Filter
    from kbtools_plugins.generate_prompts import GeneratePrompts
    from kbtools_plugins.sample import Sample
    from kbtools_plugins.split import Split
    from kbtools_plugins.strip_reasoning import StripReasoning
    from kbtools_plugins.synthesize import Synthesize

    return [
        Compare,
        Dedup,
        Filter,
        GeneratePrompts,
        Sample,
        Split,
        StripReasoning,
        Synthesize,
    ]


@kb.hookimpl
def register_judges() -> list[type[kb.Judge]]:
    """Every built-in judge."""
    from kbtools_plugins.model_judge import ModelJudge
    from kbtools_plugins.panel_judge import PanelJudge
    from kbtools_plugins.static.judge import StaticJudge

    return [
        ModelJudge,
        PanelJudge,
        StaticJudge,
    ]


@kb.hookimpl
def register_prompts() -> list[Traversable]:
    """The prompts of this distribution."""
    return [kb.prompts.root()]
