"""The built-in stages and judges of kbtools, offered through the same hooks as anybody else's.

They are named here and imported when they are used: a chain that filters imports neither torch nor the model engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import kbtools as kb

if TYPE_CHECKING:
    from kbtools.feedback import Feedback
    from kbtools.rollouts import RolloutLayout

_STAGES = {
    "add-labels": "kbtools_plugins.add_labels:AddLabels",
    "agreement": "kbtools_plugins.analysis.agreement:Agreement",
    "compare": "kbtools_plugins.compare:Compare",
    "convert-rollouts": "kbtools_plugins.rollouts.stage:ConvertRollouts",
    "correlate": "kbtools_plugins.analysis.correlate:Correlate",
    "decontaminate": "kbtools_plugins.leaks.contamination.stage:Decontaminate",
    "dedup": "kbtools_plugins.dedup:Dedup",
    "explode-turns": "kbtools_plugins.training.turns:ExplodeTurns",
    "filter": "kbtools_plugins.filter:Filter",
    "generate-prompts": "kbtools_plugins.generate_prompts:GeneratePrompts",
    "judge": "kbtools.judge:Judge",
    "lengths": "kbtools_plugins.lengths.stage:Lengths",
    "near-dedup": "kbtools_plugins.leaks.near_dedup:NearDedup",
    "pass-rate": "kbtools_plugins.training.pass_rate:PassRate",
    "push": "kbtools_plugins.push:Push",
    "sample": "kbtools_plugins.sample:Sample",
    "select": "kbtools_plugins.training.select:Select",
    "split": "kbtools_plugins.split:Split",
    "stats": "kbtools_plugins.analysis.stats:Stats",
    "strip-reasoning": "kbtools_plugins.strip_reasoning:StripReasoning",
    "synthesize": "kbtools_plugins.synthesize.stage:Synthesize",
    "to-messages": "kbtools_plugins.chat:ToMessages",
    "to-preferences": "kbtools_plugins.training.preferences:ToPreferences",
    "to-prompt-completion": "kbtools_plugins.chat:ToPromptCompletion",
    "to-repair": "kbtools_plugins.training.repair:ToRepair",
    "to-tasks": "kbtools_plugins.training.tasks:ToTasks",
    "verify": "kbtools_plugins.verify.stage:Verify",
}
_JUDGES = {
    "model": "kbtools_plugins.model_judges.model_judge:ModelJudge",
    "panel": "kbtools_plugins.model_judges.panel:PanelJudge",
    "static": "kbtools_plugins.static.static_judge:StaticJudge",
}
_FEEDBACK = {
    "verify": "kbtools_plugins.verify.feedback:VerifyFeedback",
}
_LAYOUTS = {
    "evals": "kbtools_plugins.rollouts.evals:LAYOUT",
    "verifiers-v1": "kbtools_plugins.rollouts.verifiers:LAYOUT",
    "prime-rl": "kbtools_plugins.rollouts.prime_rl:LAYOUT",
    "atif": "kbtools_plugins.rollouts.atif:LAYOUT",
}


@kb.hookimpl
def register_stages() -> list[kb.Offer[type[kb.Stage]]]:
    """Every built-in stage."""
    return _offers(_STAGES)


@kb.hookimpl
def register_judges() -> list[kb.Offer[type[kb.Judge]]]:
    """Every built-in judge."""
    return _offers(_JUDGES)


@kb.hookimpl
def register_feedback() -> list[kb.Offer[type[Feedback]]]:
    """Every built-in way to check answers between turns."""
    return _offers(_FEEDBACK)


@kb.hookimpl
def register_rollout_layouts() -> list[kb.Offer[RolloutLayout]]:
    """Every built-in layout of rollouts."""
    return _offers(_LAYOUTS)


@kb.hookimpl
def register_prompts() -> list[Traversable]:
    """The prompts of this distribution."""
    return [kb.prompts.root()]


def _offers(paths: Mapping[str, str]) -> list[kb.Offer[Any]]:
    return [kb.Offer(name, path) for name, path in paths.items()]
