"""What Triton makes of the candidate's own kernels, for comparison with what it makes of the clean module's.

Kernels are judged by a text that was taken out of the candidate's. Whatever Python or Triton would see otherwise (a
source that was replaced, a name that means something else) shows in the code that Triton parses for a launch. Nothing
is run for that.
"""

from __future__ import annotations

import json
from typing import Any

from triton.runtime import driver

from kbtools_plugins.ptx.compile import WITH_FP8, Architecture, lacks_types, parse_kernel
from kbtools_plugins.verify.protocol.specialization import compile_value, specialized
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker.arguments import argument
from kbtools_plugins.verify.worker.normal_form import FAILED, normal_form

_MOST = 16
"""Launches that differ, for each kernel: of configurations of a tuner the first ones."""


class FrontEnd:
    """Parses each launch that differs from those before it."""

    def __init__(self, target: Architecture) -> None:
        self._target = target
        self._known: dict[str, str] = {}

    def digest(self, kernel: Any, bound: dict[str, Tree], actual: dict[str, object], options: dict[str, Tree]) -> str:
        """The target and a digest of what Triton parses for it, or what it says; empty where nobody has looked."""
        constants = {parameter.name for parameter in kernel.params if parameter.is_constexpr}
        shown = {
            name: compile_value(value, {}) if name in constants else specialized(compile_value(value, {}))
            for name, value in bound.items()
        }
        key = json.dumps([id(kernel), shown, options], sort_keys=True)
        if key not in self._known:
            self._known[key] = self._parsed(kernel, shown, actual, options) if len(self._known) < _MOST else ""
        return self._known[key]

    def _parsed(self, kernel: Any, shown: dict[str, Tree], actual: dict[str, object], options: dict[str, Tree]) -> str:
        arguments = {name: _own(actual[name], value) for name, value in shown.items()}
        active = driver.active
        try:
            return self._for_target(kernel, arguments, options, self._target)
        except Exception as error:  # noqa: BLE001 - a kernel's fault is its result
            if lacks_types(error, self._target):
                return self._for_target(kernel, arguments, options, WITH_FP8)
            return f"{self._target} {FAILED}{type(error).__name__}: {error}"[:1_000]
        finally:
            driver.set_active(active)

    def _for_target(
        self, kernel: Any, arguments: dict[str, Any], options: dict[str, Tree], target: Architecture
    ) -> str:
        return f"{target} {normal_form(parse_kernel(kernel, arguments, options, target))}"


def _own(actual: Any, value: Tree) -> Any:
    """An argument as a compiler looks at it; functions are the candidate's own."""
    if isinstance(value, dict) and "tuple" in value:
        return tuple(_own(one, tree) for one, tree in zip(actual, value["tuple"], strict=True))
    if isinstance(value, dict) and "function" in value:
        return getattr(actual, "value", actual)
    return argument(value)
