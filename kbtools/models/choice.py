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
    spec = os.environ.get("KBTOOLS_MODEL") or os.environ.get("DATA_MODEL") or read_config().model.default
    bare = spec and not spec.startswith(("http://", "https://")) and ":" not in spec
    return f"prime:{spec}" if bare and os.environ.get("PRIME_API_KEY") else spec
