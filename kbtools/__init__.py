"""kbtools: chains of stages over Hugging Face datasets of kernel code.

Everything public is reached from here and imported on first use, so that `import kbtools` costs nothing.
The classes of all installed stages are here too, under their Python names: `kbtools.Filter`, `kbtools.Dedup`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kbtools import errors as errors
    from kbtools import lineage as lineage
    from kbtools import prompts as prompts
    from kbtools import stage as stage
    from kbtools.data.columns import Schema as Schema
    from kbtools.engines import Processes as Processes
    from kbtools.engines import Ray as Ray
    from kbtools.hooks import hookimpl as hookimpl
    from kbtools.judge import Judge as Judge
    from kbtools.judge import Verdict as Verdict
    from kbtools.lineage import Lineage as Lineage
    from kbtools.lineage import Recipe as Recipe
    from kbtools.pipeline import apply as apply
    from kbtools.pipeline import load as load
    from kbtools.pipeline import save as save
    from kbtools.plugins import default_model as default_model
    from kbtools.plugins import prompt as prompt
    from kbtools.result import Drop as Drop
    from kbtools.result import Failure as Failure
    from kbtools.result import Result as Result
    from kbtools.result import Table as Table
    from kbtools.stage import Pipeline as Pipeline
    from kbtools.stage import Stage as Stage
    from kbtools.verify_client import VerifyClient as VerifyClient
    from kbtools_plugins.verify import verify as verify

_MODULES = ("llm", "data", "errors", "lineage", "plugins", "prompts", "stage", "testing", "verify_client")
_HOME = {
    "Schema": "data.columns",
    "hookimpl": "hooks",
    "Processes": "engines",
    "Ray": "engines",
    "Judge": "plugins",  # which tells it where judges are found by name
    "Verdict": "judge",
    "Lineage": "lineage",
    "Recipe": "lineage",
    "Pipeline": "stage",
    "apply": "pipeline",
    "default_model": "plugins",
    "load": "pipeline",
    "prompt": "plugins",
    "save": "pipeline",
    "Drop": "result",
    "Failure": "result",
    "Result": "result",
    "Stage": "stage",
    "Table": "result",
    "VerifyClient": "verify_client",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"kbtools.{name}")
    if name == "verify":  # a library function beside the stage: kbtools.verify(reference, candidate)
        return importlib.import_module("kbtools_plugins.verify").verify
    if name in _HOME:
        return getattr(importlib.import_module(f"kbtools.{_HOME[name]}"), name)
    if name[:1].isupper():
        return _stage_class(name)
    raise AttributeError(f"module 'kbtools' has no attribute {name!r}")


def _stage_class(name: str) -> Any:
    from kbtools.plugins import registry

    known = registry()
    for cls in (*known.stages().values(), *known.judges().values()):
        if cls.__name__ == name:
            return cls
    raise AttributeError(f"module 'kbtools' has no attribute {name!r}, nor has any plugin a stage of that name")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_HOME, "verify"])
