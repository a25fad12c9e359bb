"""Which model a stage asks: the backend of a spec, from a plugin or of our own, and the spec when none is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kbtools.models.profiles import read_config
from kbtools.models.spec import resolve_model
from kbtools.plugins import registry

if TYPE_CHECKING:
    from kbtools.models.backend import ModelBackend


def model_backend(spec: str) -> ModelBackend:
    """The backend of a model spec: a plugin's, or one of kbtools' own."""
    found: ModelBackend | None = registry().manager.hook.resolve_model(spec=spec)
    return found if found is not None else resolve_model(spec)


def default_model() -> str:
    """Model spec when none is given: KBTOOLS_MODEL, DATA_MODEL, or `[model] default` of the configuration file.

    With PRIME_API_KEY it may be a bare name.
    """
    return chosen_model()[0]


def chosen_model() -> tuple[str, str]:
    """The default model and where it comes from; empty where there is none."""
    places = {name: os.environ.get(name, "") for name in ("KBTOOLS_MODEL", "DATA_MODEL")}
    places["[model] default"] = read_config().model.default
    place, spec = next(((place, spec) for place, spec in places.items() if spec), ("", ""))
    bare = spec and not spec.startswith(("http://", "https://")) and ":" not in spec
    if bare and os.environ.get("PRIME_API_KEY"):
        return f"prime:{spec}", f"{place}, a bare name, and PRIME_API_KEY is set"
    return spec, place
