"""`score`: one assessment of a reference and an answer, with its reasons as text."""

from __future__ import annotations

from dataclasses import dataclass

from .difficulty import Label, Rated, label_of, rate_kernels, rate_operations
from .facts import CodeFacts, read_code
from .source import Unparsable
from .style import rate_style


@dataclass(frozen=True, slots=True)
class StaticAssessment:
    """Difficulty (0-10, None when unparsable), its label, style (0-10, None without an answer) and why."""

    difficulty_score: float | None
    difficulty: Label
    style: float | None
    reasons: tuple[str, ...]


def score(reference: str | None, kernel: str | None) -> StaticAssessment:
    """Rate what there is: the reference module, the Triton answer, or both.

    The difficulty is that of the harder of the two. Scores have one decimal: levels alone would tie most
    rows.
    Raises ValueError when both are None.
    """
    if reference is None and kernel is None:
        raise ValueError("nothing to rate: give the reference, the kernel, or both")
    read = {role: read_code(text) for role, text in (("reference", reference), ("kernel", kernel)) if text is not None}
    broken = {role: facts for role, facts in read.items() if isinstance(facts, Unparsable)}
    whole = {role: facts for role, facts in read.items() if isinstance(facts, CodeFacts)}
    style, style_reasons = _style(read.get("kernel"))
    if broken:
        faults = tuple(_fault(role, fault) for role, fault in broken.items())
        return StaticAssessment(None, "unparsable", style, (*faults, *style_reasons))
    difficulty, reasons = _difficulty(whole)
    return StaticAssessment(difficulty, label_of(difficulty), style, (*reasons, *style_reasons))


def _difficulty(read: dict[str, CodeFacts]) -> tuple[float, tuple[str, ...]]:
    """The hardest of all ratings; code that does nothing that we know rates 0, as a copy does."""
    rated: list[tuple[float, str]] = []
    for role, facts in read.items():
        for rating in (rate_operations(facts), rate_kernels(facts)):
            if rating:
                rated.append((rating.score, f"{role} {rating.score:.1f}: {'; '.join(rating.reasons)}"))
    rated.sort(key=lambda pair: -pair[0])
    if not rated:
        return 0.0, ("difficulty 0: no operation and no kernel, so the code hands its input on",)
    top = round(rated[0][0], 1)
    return top, (f"difficulty {top:g} ({label_of(top)}), from the hardest of:", *(text for _, text in rated))


def _style(facts: CodeFacts | Unparsable | None) -> tuple[float | None, tuple[str, ...]]:
    if facts is None:
        return None, ("style is not rated: there is no kernel",)
    if isinstance(facts, Unparsable):
        return 0.0, ("style 0: the code is broken",)
    rating: Rated = rate_style(facts)
    points = round(rating.score, 1)
    return points, (f"style {points:g}, from an acceptable 4:", *rating.reasons)


def _fault(role: str, fault: Unparsable) -> str:
    where = f" at line {fault.line}" if fault.line else ""
    return f"the {role} cannot be read: {fault.error}{where}"
