"""The built-in stages and judges of kbtools, offered through the same hooks as anybody else's."""

from __future__ import annotations

from importlib.resources.abc import Traversable

import kbtools as kb
from kbtools.feedback import Feedback
from kbtools.rollouts import RolloutLayout


@kb.hookimpl
def register_stages() -> list[type[kb.Stage]]:
    """Every built-in stage."""
    from kbtools_plugins.add_labels import AddLabels
    from kbtools_plugins.analysis.agreement import Agreement
    from kbtools_plugins.analysis.correlate import Correlate
    from kbtools_plugins.analysis.stats import Stats
    from kbtools_plugins.chat import ToMessages, ToPromptCompletion
    from kbtools_plugins.compare import Compare
    from kbtools_plugins.dedup import Dedup
    from kbtools_plugins.filter import Filter
    from kbtools_plugins.generate_prompts import GeneratePrompts
    from kbtools_plugins.leaks.contamination.stage import Decontaminate
    from kbtools_plugins.leaks.near_dedup import NearDedup
    from kbtools_plugins.lengths.stage import Lengths
    from kbtools_plugins.push import Push
    from kbtools_plugins.rollouts.stage import ConvertRollouts
    from kbtools_plugins.sample import Sample
    from kbtools_plugins.split import Split
    from kbtools_plugins.strip_reasoning import StripReasoning
    from kbtools_plugins.synthesize.stage import Synthesize
    from kbtools_plugins.training.pass_rate import PassRate
    from kbtools_plugins.training.preferences import ToPreferences
    from kbtools_plugins.training.repair import ToRepair
    from kbtools_plugins.training.select import Select
    from kbtools_plugins.training.tasks import ToTasks
    from kbtools_plugins.training.turns import ExplodeTurns
    from kbtools_plugins.verify.stage import Verify

    return [
        kb.Judge,
        AddLabels,
        Agreement,
        Compare,
        ConvertRollouts,
        Correlate,
        Decontaminate,
        Dedup,
        ExplodeTurns,
        Filter,
        GeneratePrompts,
        Lengths,
        NearDedup,
        PassRate,
        Push,
        Sample,
        Select,
        Split,
        Stats,
        StripReasoning,
        Synthesize,
        ToMessages,
        ToPreferences,
        ToPromptCompletion,
        ToRepair,
        ToTasks,
        Verify,
    ]


@kb.hookimpl
def register_judges() -> list[type[kb.Judge]]:
    """Every built-in judge."""
    from kbtools_plugins.model_judges.model_judge import ModelJudge
    from kbtools_plugins.model_judges.panel import PanelJudge
    from kbtools_plugins.static.static_judge import StaticJudge

    return [
        ModelJudge,
        PanelJudge,
        StaticJudge,
    ]


@kb.hookimpl
def register_rollout_layouts() -> list[RolloutLayout]:
    """Every built-in layout of rollouts."""
    from kbtools_plugins.rollouts import atif, evals, prime_rl, verifiers

    return [evals.LAYOUT, verifiers.LAYOUT, prime_rl.LAYOUT, atif.LAYOUT]


@kb.hookimpl
def register_feedback() -> list[type[Feedback]]:
    """Every built-in way to check answers between turns."""
    from kbtools_plugins.verify.feedback import VerifyFeedback

    return [VerifyFeedback]


@kb.hookimpl
def register_prompts() -> list[Traversable]:
    """The prompts of this distribution."""
    return [kb.prompts.root()]
