"""From an engine's description to its workers, for the time of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kbtools.engines.config import Processes, Ray
from kbtools.engines.crew import Crew, Staff, _crew
from kbtools.errors import ConfigError, UsageError
from kbtools.wording import counted


@contextmanager
def opened(engine: Processes | Ray | None, say: Callable[[str], None]) -> Iterator[Crew | None]:
    """The workers of an engine, found by `crew()` in the body; `say` gets what people have to know of them."""
    if engine is None:
        yield None
        return
    scratch = _scratch(engine)
    crew = Crew(_staff(engine, say), str(scratch), engine.shards, _described(engine))
    token = _crew.set(crew)
    try:
        yield crew
    finally:
        _crew.reset(token)
        crew.close()


def _staff(engine: Processes | Ray, say: Callable[[str], None]) -> Staff:
    if isinstance(engine, Processes):
        from kbtools.engines.processes import LocalStaff

        return LocalStaff(_processes(engine))
    from kbtools.engines.cluster import ClusterStaff

    return ClusterStaff(engine.address, say)


def _described(engine: Processes | Ray) -> str:
    if isinstance(engine, Ray):
        return "a Ray cluster"
    count = _processes(engine)
    return counted(count, "process", "processes")


def _processes(engine: Processes) -> int:
    return engine.workers or os.cpu_count() or 1


def _scratch(engine: Processes | Ray) -> Path:
    """The folder for shards, made if need be."""
    if engine.scratch is None and isinstance(engine, Ray):
        raise UsageError("--engine ray needs --scratch DIR, a folder that every node of the cluster sees.")
    folder = Path(engine.scratch).expanduser() if engine.scratch else default_scratch()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--scratch {folder} cannot be made ({error.strerror}).") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"--scratch {folder} is not a folder that you may write to.")
    return folder.absolute()


def default_scratch() -> Path:
    """A folder beside what `datasets` keeps of other work that is done."""
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE) / "kbtools" / "shards"
