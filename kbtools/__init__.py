"""kbtools: chains of stages over Hugging Face datasets of kernel code.

Everything public is reached from here and imported on first use, so that `import kbtools` costs nothing. The classes of
the built-in stages and judges are here too, as `kbtools.Filter`; checkers see them through the imports below. So are
those of other plugins, where only one of them has a class of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbtools import data as data
    from kbtools import errors as errors
    from kbtools import figures as figures
    from kbtools import lineage as lineage
    from kbtools import llm as llm
    from kbtools import plugins as plugins
    from kbtools import prompts as prompts
    from kbtools import stage as stage
    from kbtools import testing as testing
    from kbtools import verify_client as verify_client
    from kbtools.data.columns import Schema as Schema
    from kbtools.engines import Processes as Processes
    from kbtools.engines import Ray as Ray
    from kbtools.figures import Table as Table
    from kbtools.judge import Judge as Judge
    from kbtools.judge import Verdict as Verdict
    from kbtools.lineage import Lineage as Lineage
    from kbtools.lineage import Recipe as Recipe
    from kbtools.models.choice import default_model as default_model
    from kbtools.pipeline import apply as apply
    from kbtools.pipeline import load as load
    from kbtools.pipeline import save as save
    from kbtools.plugins import prompt as prompt
    from kbtools.plugins.hooks import hookimpl as hookimpl
    from kbtools.plugins.offers import Offer as Offer
    from kbtools.result import Drop as Drop
    from kbtools.result import Failure as Failure
    from kbtools.result import Result as Result
    from kbtools.stage import Pipeline as Pipeline
    from kbtools.stage import Stage as Stage
    from kbtools.verify_client import VerifyClient as VerifyClient
    from kbtools_plugins.add_labels import AddLabels as AddLabels
    from kbtools_plugins.analysis.agreement import Agreement as Agreement
    from kbtools_plugins.analysis.correlate import Correlate as Correlate
    from kbtools_plugins.analysis.stats import Stats as Stats
    from kbtools_plugins.chat import ToMessages as ToMessages
    from kbtools_plugins.chat import ToPromptCompletion as ToPromptCompletion
    from kbtools_plugins.compare import Compare as Compare
    from kbtools_plugins.dedup import Dedup as Dedup
    from kbtools_plugins.filter import Filter as Filter
    from kbtools_plugins.generate_prompts import GeneratePrompts as GeneratePrompts
    from kbtools_plugins.leaks.contamination.stage import Decontaminate as Decontaminate
    from kbtools_plugins.leaks.near_dedup import NearDedup as NearDedup
    from kbtools_plugins.lengths.stage import Lengths as Lengths
    from kbtools_plugins.model_judges.model_judge import ModelJudge as ModelJudge
    from kbtools_plugins.model_judges.panel import PanelJudge as PanelJudge
    from kbtools_plugins.push import Push as Push
    from kbtools_plugins.rollouts.stage import ConvertRollouts as ConvertRollouts
    from kbtools_plugins.sample import Sample as Sample
    from kbtools_plugins.split import Split as Split
    from kbtools_plugins.static.static_judge import StaticJudge as StaticJudge
    from kbtools_plugins.strip_reasoning import StripReasoning as StripReasoning
    from kbtools_plugins.synthesize.stage import Synthesize as Synthesize
    from kbtools_plugins.training.pass_rate import PassRate as PassRate
    from kbtools_plugins.training.preferences import ToPreferences as ToPreferences
    from kbtools_plugins.training.repair import ToRepair as ToRepair
    from kbtools_plugins.training.select import Select as Select
    from kbtools_plugins.training.tasks import ToTasks as ToTasks
    from kbtools_plugins.training.turns import ExplodeTurns as ExplodeTurns
    from kbtools_plugins.verify import verify as verify
    from kbtools_plugins.verify.stage import Verify as Verify

_MODULES = ("llm", "data", "errors", "figures", "lineage", "plugins", "prompts", "stage", "testing", "verify_client")
_HOME = {
    "Schema": "kbtools.data.columns",
    "hookimpl": "kbtools.plugins.hooks",
    "Processes": "kbtools.engines",
    "Ray": "kbtools.engines",
    "Judge": "kbtools.judge",
    "Verdict": "kbtools.judge",
    "Lineage": "kbtools.lineage",
    "Recipe": "kbtools.lineage",
    "Pipeline": "kbtools.stage",
    "apply": "kbtools.pipeline",
    "default_model": "kbtools.models.choice",
    "Offer": "kbtools.plugins.offers",
    "load": "kbtools.pipeline",
    "prompt": "kbtools.plugins",
    "save": "kbtools.pipeline",
    "Drop": "kbtools.result",
    "Failure": "kbtools.result",
    "Result": "kbtools.result",
    "Stage": "kbtools.stage",
    "Table": "kbtools.figures",
    "VerifyClient": "kbtools.verify_client",
    "AddLabels": "kbtools_plugins.add_labels",
    "Agreement": "kbtools_plugins.analysis.agreement",
    "Correlate": "kbtools_plugins.analysis.correlate",
    "Stats": "kbtools_plugins.analysis.stats",
    "ToMessages": "kbtools_plugins.chat",
    "ToPromptCompletion": "kbtools_plugins.chat",
    "Compare": "kbtools_plugins.compare",
    "ConvertRollouts": "kbtools_plugins.rollouts.stage",
    "Dedup": "kbtools_plugins.dedup",
    "Filter": "kbtools_plugins.filter",
    "GeneratePrompts": "kbtools_plugins.generate_prompts",
    "Lengths": "kbtools_plugins.lengths.stage",
    "ModelJudge": "kbtools_plugins.model_judges.model_judge",
    "PanelJudge": "kbtools_plugins.model_judges.panel",
    "Push": "kbtools_plugins.push",
    "Sample": "kbtools_plugins.sample",
    "Split": "kbtools_plugins.split",
    "StaticJudge": "kbtools_plugins.static.static_judge",
    "StripReasoning": "kbtools_plugins.strip_reasoning",
    "Synthesize": "kbtools_plugins.synthesize.stage",
    "NearDedup": "kbtools_plugins.leaks.near_dedup",
    "PassRate": "kbtools_plugins.training.pass_rate",
    "ToPreferences": "kbtools_plugins.training.preferences",
    "ToRepair": "kbtools_plugins.training.repair",
    "Select": "kbtools_plugins.training.select",
    "ToTasks": "kbtools_plugins.training.tasks",
    "ExplodeTurns": "kbtools_plugins.training.turns",
    "Decontaminate": "kbtools_plugins.leaks.contamination.stage",
    "verify": "kbtools_plugins.verify",
    "Verify": "kbtools_plugins.verify.stage",
}
"""Module of every name above; tests/test_names.py compares both lists, and both with the built-in plugin."""


def imported_on_demand(package: str, home: Mapping[str, str]) -> Callable[[str], object]:
    """A package's `__getattr__`: `home` is the module of each name, with a dot before it where it is inside.

    Checkers must not see it, or a misspelt name would be none to them.
    """

    def found(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home[name], package), name)

    return found


_named = imported_on_demand(__name__, _HOME)

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f"kbtools.{name}")
        return _class_of_a_plugin(name) if name[:1].isupper() and name not in _HOME else _named(name)


def _class_of_a_plugin(name: str) -> object:
    from kbtools.plugins import registry

    found = registry().named_in_python(name)
    if not found:
        from kbtools.errors import did_you_mean

        near = did_you_mean(name, __dir__(), all_if_none_near=False)
        what = f"module 'kbtools' has no attribute {name!r}, nor has any plugin a stage of that name"
        raise AttributeError(f"{what}. {near}".rstrip(". "))
    if len(found) > 1:
        claimants = " and ".join(f"{cls.__module__}.{cls.__qualname__}" for cls in found)
        raise AttributeError(f"kbtools.{name} could be {claimants}: import the one that you mean from its module")
    return found[0]


def __dir__() -> list[str]:
    from kbtools.plugins import registry

    plugins = registry().plugins
    theirs = {offer.python for plugin in plugins for offer in (*plugin.stages, *plugin.judges)}
    return sorted({*_MODULES, *_HOME, *theirs})
