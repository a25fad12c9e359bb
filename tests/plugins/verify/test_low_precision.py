"""Kernels in bf16, fp16, fp8 and int8 pass; twins that add up, scale or saturate as such kernels must not do not."""

from __future__ import annotations

import pytest
from low_precision import floats, integers
from low_precision.pairs import LowPrecision

from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.pool import Pair, verify_all

pytestmark = pytest.mark.verify
PAIRS = [*floats.PAIRS, *integers.PAIRS]
_SETTINGS = VerifySettings(seed=1, targets=(80,))


def _wrong(chosen: list[LowPrecision], workers: int) -> list[str]:
    """Those that are not judged as they have to be: the kernel passes, its twin gives a wrong output."""
    texts = [Pair(pair.reference(), pair.candidate(hostile=hostile)) for pair in chosen for hostile in (False, True)]
    found = iter(verify_all(texts, _SETTINGS, workers))
    return [
        f"{pair.name} ({pair.wrong}): {verdict.verdict}, has to be {wanted}: {verdict.error}"
        for pair in chosen
        for wanted, verdict in (("pass", next(found)), ("wrong_output", next(found)))
        if verdict.verdict != wanted
    ]


def test_there_are_forty_of_every_type_and_kind_of_mistake() -> None:
    """The corpus is as wide as it claims to be, and no two have the same name."""
    assert len({pair.name for pair in PAIRS}) == len(PAIRS) >= 40
    assert {pair.dtype for pair in PAIRS} == {"bf16", "fp16", "e4m3", "e5m2", "int8"}
    assert {pair.wrong for pair in PAIRS} == {"accumulation", "scale", "rescale", "saturation"}


def test_one_of_each_kind_of_mistake_is_found() -> None:
    """The shortest of each."""
    names = ("convolution_bf16", "blocks_e4m3", "unscale_fp16", "int8_add")
    assert _wrong([pair for pair in PAIRS if pair.name in names], 1) == []


@pytest.mark.long
def test_all_are_judged_rightly() -> None:
    """No honest kernel is blamed for its type, no twin passes."""
    assert _wrong(PAIRS, 2) == []
