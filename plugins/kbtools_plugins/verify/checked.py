"""Verdicts on many pairs, on this machine or on the workers of an engine, from the one store where they are there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from kbtools.engines import crew
from kbtools_plugins.verify.settings import VerifySettings, on_gpu

if TYPE_CHECKING:
    from kbtools_plugins.verify.pool import Pair, Watcher
    from kbtools_plugins.verify.verdict import Verification


def require_machine(settings: VerifySettings) -> None:
    """MissingExtra without torch and triton, ConfigError where a GPU is demanded that is not there."""
    from kbtools_plugins.verify.distributed import agreed, require_packages

    if (workers := crew()) is not None:
        agreed(workers, settings)
        return
    require_packages()
    on_gpu(settings)


def verdicts(
    pairs: Sequence[Pair], settings: VerifySettings, workers: int, store: str, report: Watcher
) -> list[Verification]:
    """The verdict of each pair; `report` is called with each one as it is known. No `store` means the user's own."""
    from kbtools_plugins.verify.cache import VerdictStore, default_path
    from kbtools_plugins.verify.distributed import verify_on
    from kbtools_plugins.verify.pool import verify_all

    with closing(VerdictStore(Path(store).expanduser() if store else default_path())) as kept:
        if (others := crew()) is not None:
            return verify_on(others, pairs, settings, kept, report)
        return verify_all(pairs, settings, workers, kept, report)
