"""The module that KernelBook rows import as `_paritybench_helpers`: a configuration object with any fields."""

from __future__ import annotations

import sys
from types import ModuleType


class MockConfig:
    """Holds whatever it is given as attributes; missing ones are an AttributeError, as with the original."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


def install() -> None:
    """Make `from _paritybench_helpers import _mock_config` work in this process."""
    module = ModuleType("_paritybench_helpers")
    module.__dict__.update(_mock_config=MockConfig, MockConfig=MockConfig)
    sys.modules["_paritybench_helpers"] = module
