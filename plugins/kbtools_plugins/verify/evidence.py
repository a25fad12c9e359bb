"""What a check has found out so far; it becomes part of the verdict, whatever that is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kbtools.private_text import without_folders
from kbtools_plugins.verify.fingerprint import fingerprint
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.verdict import Resources, Verification


@dataclass
class Evidence:
    """Fields of a verdict that are known before it is."""

    tier: str = "static"
    kernels: dict[str, int] = field(default_factory=dict)
    resources: tuple[Resources, ...] = ()
    notes: list[str] = field(default_factory=list)
    ran: frozenset[str] = frozenset()
    """Versions and targets of the PTX that was executed."""
    seconds: dict[str, float] = field(default_factory=dict)
    processor_seconds: float = 0.0
    shape_general: bool | None = None
    layout_general: bool | None = None
    sizes: str = ""
    torch_share: float | None = None
    untested_share: float | None = None
    in_place: bool | None = None
    speedup: float | None = None
    ref_ms: tuple[float, float, float] | None = None
    kernel_ms: tuple[float, float, float] | None = None

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Remember how long a step took."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = round(time.monotonic() - started, 3)

    def verdict(self, verdict: str, error: str, max_error: float | None, settings: VerifySettings) -> Verification:
        """The verdict with all that is known."""
        known = {name: value for name, value in vars(self).items() if name not in ("notes", "ran")}
        ptx = {"ptx": ", ".join(sorted(self.ran))} if self.ran else {}
        return Verification(
            verdict=verdict,
            error=without_folders(error),
            max_error=max_error,
            notes=tuple(self.notes),
            fingerprint=fingerprint(settings) | ptx,
            **known,
        )
