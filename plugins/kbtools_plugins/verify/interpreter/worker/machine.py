"""The machine that executes a trace's kernels in Triton's interpreter."""

from __future__ import annotations

from typing import Any

from kbtools_plugins.verify.interpreter.worker.accesses import Interpreter
from kbtools_plugins.verify.protocol.trace import TraceStep, refs
from kbtools_plugins.verify.worker.replay.faults import UnsupportedKind, innermost
from kbtools_plugins.verify.worker.replay.machine import Machine


class InterpreterMachine(Machine):
    """Executes one trace; each access is looked at when it is made."""

    def execute(self, order: str = "forward", shift: int = 0) -> None:
        """Run the steps that matter to the outputs."""
        with Interpreter(reverse=order == "reverse", shift=shift) as self._interpreter:
            super().execute(order, shift)

    def launch_kernel(self, step: TraceStep, kernel: Any, arguments: dict[str, Any]) -> None:
        """Run one kernel."""
        bases = {ref.storage: self._bases[ref.storage] for ref in refs([*step.bound.values()])}
        self._interpreter.open_buffers(step.kernel, list(bases.values()))
        try:
            super().launch_kernel(step, kernel, arguments)
        except Exception as error:
            if isinstance(innermost(error), NotImplementedError):
                raise UnsupportedKind("interpreter") from None
            raise
