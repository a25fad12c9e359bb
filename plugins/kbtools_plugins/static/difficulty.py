"""Difficulty 0-10 from facts: a table of levels, after the rubric, and a few named additions.

The scale: 0 copy, 1-2 elementwise, 3-4 basic reduction or a light fusion, 5-6 softmax, norm or basic
attention, 7-8 full attention, conv2d and heavy fusions, 9-10 FlashAttention and whole blocks. The figures
were tuned on one half of TritonBench-T's human labels (see benchmarks/static_judge_spearman.py); the other
half was only measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .facts import CodeFacts
from .families import ARITHMETIC, MOVES_DATA_ONLY
from .kernels import TritonKernel

Label = Literal["low", "medium", "high", "unparsable"]
HIGHEST = 10.0

# Rubric: low = copies and simple elementwise (0-2), medium = reductions and standard matrix work (3-6).
MEDIUM_FROM = 3.0
HIGH_FROM = 7.0

FAMILY_LEVEL = {
    "creation": 0.5,
    "shape": 1.0,
    "elementwise": 1.5,
    "activation": 1.5,
    "random": 2.0,
    "reduction": 3.0,
    "special": 3.5,
    "indexing": 4.0,
    "optimizer": 4.0,
    "loss": 4.5,
    "pooling": 5.0,
    "softmax": 5.0,
    "norm": 5.0,
    "matmul": 5.0,
    "linalg": 7.0,
    "conv": 7.0,
    "fft": 8.0,
    "attention": 8.0,
    "recurrent": 8.5,
}
# Operations that are easier or harder than their family.
OP_LEVEL = {"mv": 3.5, "dot": 3.0, "vdot": 3.0, "outer": 3.0, "solvetriangular": 5.0, "transformer": 10.0}
UNPLACED_LEVEL = 3.0

FUSED_OP = 0.75  # per distinct called operation beyond the hardest one
ARITHMETIC_OP = 0.25  # per distinct operator (+, *, ...) beyond the hardest one
FUSION_LIMIT = 2.5


@dataclass(frozen=True, slots=True)
class Rated:
    """A score from 0 to 10 and what it is made of, hardest first."""

    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A shape of kernel and the level that the rubric gives it."""

    name: str
    level: float
    holds: Callable[[TritonKernel], bool]


KERNEL_PATTERNS = (
    Pattern(
        "dot products around an online softmax",
        8.5,
        lambda k: k.dots > 1 and "exp" in _maths(k) and bool(k.reductions),
    ),
    Pattern("loop nest three or more deep", 7.0, lambda k: k.loop_depth >= 3),
    Pattern("tiled matrix product", 5.5, lambda k: k.dots > 0 and k.loops > 0),
    Pattern("matrix product of one tile", 5.0, lambda k: k.dots > 0),
    Pattern("nested loops", 5.0, lambda k: k.loop_depth == 2),
    Pattern("scan or sort", 5.0, lambda k: bool(k.scans)),
    Pattern("several reductions", 4.5, lambda k: len(k.reductions) > 1),
    Pattern("one reduction", 3.0, lambda k: bool(k.reductions)),
    Pattern("loop", 3.0, lambda k: k.loops > 0),
    Pattern("atomic updates", 3.0, lambda k: k.atomics > 0),
    Pattern("elementwise arithmetic", 1.5, lambda k: bool(k.math) or k.arithmetic > 3),
    Pattern("copy", 0.5, lambda k: True),
)


@dataclass(frozen=True, slots=True)
class Addition:
    """What a kernel adds to its pattern: `weight` per unit above `free`, at most `limit`."""

    name: str
    weight: float
    limit: float
    free: int
    count: Callable[[CodeFacts], int]


KERNEL_ADDITIONS = (
    Addition("parameters of one kernel", 0.1, 1.5, 4, lambda f: max(len(k.parameters) for k in f.kernels)),
    Addition("index divisions", 0.15, 0.75, 0, lambda f: max(k.index_divisions for k in f.kernels)),
    Addition("branches in kernels", 0.15, 0.75, 0, lambda f: sum(k.branches for k in f.kernels)),
    Addition("kernels", 0.5, 1.5, 1, lambda f: len(f.kernels)),
)


def label_of(score: float) -> Label:
    """low, medium or high of a 0-10 difficulty."""
    if score < MEDIUM_FROM:
        return "low"
    return "medium" if score < HIGH_FROM else "high"


def rate_operations(facts: CodeFacts) -> Rated | None:
    """Difficulty of the operations that host code calls: the hardest one, and how much is fused with it."""
    levels = _levels(facts)
    if not levels:
        return None
    hardest = max(levels, key=lambda name: levels[name])
    reasons = [f"hardest operation: {hardest} ({levels[hardest]:g})"]
    fused = [name for name in facts.compute_ops if name != hardest]
    called = [name for name in fused if name not in ARITHMETIC]
    extra = min(FUSION_LIMIT, FUSED_OP * len(called) + ARITHMETIC_OP * (len(fused) - len(called)))
    if extra:
        reasons.append(f"together with {', '.join(fused)} (+{extra:g})")
    return Rated(min(HIGHEST, levels[hardest] + extra), tuple(reasons))


def rate_kernels(facts: CodeFacts) -> Rated | None:
    """Difficulty of the Triton kernels: the hardest pattern among them, and what they add to it."""
    if not facts.kernels:
        return None
    matched = [(_pattern(kernel), kernel) for kernel in facts.kernels]
    pattern, kernel = max(matched, key=lambda pair: pair[0].level)
    score, reasons = pattern.level, [f"kernel {kernel.name}: {pattern.name} ({pattern.level:g})"]
    for addition in KERNEL_ADDITIONS:
        count = addition.count(facts)
        extra = min(addition.limit, addition.weight * max(0, count - addition.free))
        if extra:
            score += extra
            reasons.append(f"{count} {addition.name} (+{extra:g})")
    return Rated(min(HIGHEST, score), tuple(reasons))


def _levels(facts: CodeFacts) -> dict[str, float]:
    """Level of each distinct operation; shapes and constants count only where nothing is computed."""
    computing = [op for op in facts.ops if op.family not in MOVES_DATA_ONLY]
    levels = {op.name: OP_LEVEL.get(op.name, FAMILY_LEVEL[op.family]) for op in computing or facts.ops}
    return levels | {path: UNPLACED_LEVEL for path in facts.host.unplaced if computing or not facts.ops}


def _pattern(kernel: TritonKernel) -> Pattern:
    return next(pattern for pattern in KERNEL_PATTERNS if pattern.holds(kernel))


def _maths(kernel: TritonKernel) -> set[str]:
    return {name.removesuffix("2") for name in kernel.math}
