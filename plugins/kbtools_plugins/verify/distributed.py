"""Many pairs on the workers of an engine: they check, and this process keeps the verdicts in the one store.

What verdicts depend on is asked of one worker and told to all: one that is another GPU, or can enforce less, refuses.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from pydantic import BaseModel, ConfigDict, TypeAdapter

from kbtools.engines import Crew
from kbtools.engines.job import Kind
from kbtools.engines.worker import number
from kbtools.errors import ConfigError, MissingExtra
from kbtools_plugins.verify.cache import VerdictStore, key_of
from kbtools_plugins.verify.check import verify
from kbtools_plugins.verify.fingerprint import fingerprint
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.pool import Pair, Watcher, look_up
from kbtools_plugins.verify.settings import VerifySettings, on_gpu
from kbtools_plugins.verify.verdict import Verification

_DESCRIBE = "kbtools_plugins.verify.distributed:describe"
_CHECK = "kbtools_plugins.verify.distributed:check"
_FINGERPRINT = TypeAdapter(dict[str, str])


class PairOrder(BaseModel):
    """What a worker is told of one pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    candidate: str
    entry_point: str | None
    settings: VerifySettings
    fingerprint: dict[str, str]
    """What the verdict depends on besides, wherever it is found."""


def verify_on(
    workers: Crew, pairs: Sequence[Pair], settings: VerifySettings, store: VerdictStore, finished: Watcher
) -> list[Verification]:
    """The verdict of each pair; `finished` is called with each one as it is known."""
    shared = agreed(workers, settings)
    keys = [key_of(pair.reference, pair.candidate, pair.entry_point, settings, shared) for pair in pairs]
    known = look_up(keys, store, finished)
    missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
    for key, verdict in _checked(workers, missing, settings, shared):
        store.put(key, verdict)
        known[key] = verdict
        for _ in range(keys.count(key)):
            finished(verdict)
    return [known[key] for key in keys]


def agreed(workers: Crew, settings: VerifySettings) -> dict[str, str]:
    """What a worker says that verdicts depend on; its error where it cannot verify at all."""
    (said,) = workers.work(_DESCRIBE, [settings.model_dump_json()], _kind(workers, settings))
    return _FINGERPRINT.validate_json(said.text())


def _checked(
    workers: Crew, missing: Mapping[str, Pair], settings: VerifySettings, shared: dict[str, str]
) -> Iterator[tuple[str, Verification]]:
    keys = list(missing)
    told = (
        PairOrder(
            reference=pair.reference,
            candidate=pair.candidate,
            entry_point=pair.entry_point,
            settings=settings,
            fingerprint=shared,
        ).model_dump_json()
        for pair in missing.values()
    )
    for done in workers.work(_CHECK, told, _kind(workers, settings)):
        yield keys[done.index], Verification.model_validate_json(done.text())


def _kind(workers: Crew, settings: VerifySettings) -> Kind:
    return workers.kind(gpu=settings.tier in ("auto", "gpu"))


def describe(payload: str) -> str:
    """A worker's part: what its verdicts depend on."""
    settings = VerifySettings.model_validate_json(payload)
    require_packages()
    on_gpu(settings)
    return _FINGERPRINT.dump_json(fingerprint(settings)).decode()


def check(payload: str) -> str:
    """A worker's part: the verdict on a pair."""
    told = PairOrder.model_validate_json(payload)
    _refuse_difference(told.fingerprint, fingerprint(told.settings))
    verdict = verify(
        told.reference, told.candidate, entry_point=told.entry_point, settings=told.settings, processes=_warm()
    )
    return verdict.model_dump_json()


def require_packages() -> None:
    """MissingExtra without torch and triton."""
    if any(importlib.util.find_spec(package) is None for package in ("torch", "triton")):
        raise MissingExtra("verify", "verifying kernels")


@cache
def _warm() -> WarmPair:
    """The processes of this worker, for all its checks; they end when it does."""
    return WarmPair(number())


def _refuse_difference(told: Mapping[str, str], mine: Mapping[str, str]) -> None:
    names = [name for name in told if told[name] != mine[name]]
    if names:
        both = "; ".join(f"{name}: {mine[name]} on {platform.node()}, {told[name]} elsewhere" for name in names)
        raise ConfigError(
            f"workers are not alike, and verdicts and times of different devices are not comparable: {both}. Run on "
            "nodes of one kind, or verify with --tier ptx."
        )
