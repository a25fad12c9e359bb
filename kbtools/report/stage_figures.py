"""What the analysis stages found, for the report: taken from the lineage, or measured now on the rows at hand.

The stages are asked by name, as any plugin's: the report knows the form of their figures and nothing of their code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kbtools.data.table import rows_text
from kbtools.errors import KbError
from kbtools.lineage import Lineage
from kbtools.plugins import registry
from kbtools.report.charts import Estimate, Intervals, Matrix
from kbtools.report.columns import Column, Labels

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class Facts(BaseModel):
    """The part of a stage's figures that the report shows."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Coefficient(Facts):
    """A figure with its 95% interval, p and q, as far as they are given."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    undefined: str | None = None

    def estimate(self, label: str, n: int) -> Estimate:
        """For a chart."""
        return Estimate(label, n, self.value, self.low, self.high, self.undefined)


class Correlation(Facts):
    """Two columns."""

    x: str
    y: str
    n: int
    spearman: Coefficient
    pearson: Coefficient
    kendall: Coefficient


class Correlations(Facts):
    """What `correlate` found."""

    rows: int
    resampled: str
    resamples: int
    pairs: tuple[Correlation, ...]

    def chart(self) -> Intervals:
        """Spearman's rho of every pair."""
        estimates = tuple(pair.spearman.estimate(f"{pair.x}, {pair.y}", pair.n) for pair in self.pairs)
        return Intervals("Rank correlations", "Spearman's rho with 95% interval", estimates)


class PairAgreement(Facts):
    """Two columns of verdicts."""

    x: str
    y: str
    n: int
    agreement: Coefficient
    kappa: Coefficient
    confusion: tuple[tuple[int, ...], ...]


class GroupAgreement(Facts):
    """All columns over the same rows."""

    group: str | None = None
    rated: int
    alpha: Coefficient
    pairs: tuple[PairAgreement, ...]


class Difference(Facts):
    """A row on which the columns differ."""

    index: int
    row: str
    values: dict[str, str | None]


class Agreement(Facts):
    """What `agreement` found."""

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    level: str
    resampled: str
    resamples: int
    whole: GroupAgreement
    groups: tuple[GroupAgreement, ...] = ()
    differences: tuple[Difference, ...] = ()

    def charts(self) -> list[Intervals | Matrix]:
        """The coefficients, and a confusion table for each pair."""
        pairs = self.whole.pairs
        found = [pair.kappa.estimate(f"kappa {pair.x}, {pair.y}", pair.n) for pair in pairs]
        found.append(self.whole.alpha.estimate("alpha of all columns", self.whole.rated))
        tables = [
            Matrix(f"{pair.x} by {pair.y}", pair.x, pair.y, self.labels, pair.confusion)
            for pair in pairs
            if len(self.labels) <= 12
        ]
        return [Intervals("Agreement", "coefficient with 95% interval", tuple(found)), *tables]


class Cost(Facts):
    """What a sequence length costs, with longer rows cut or dropped."""

    tokens_lost_share: float
    padding_waste: float | None
    packing_efficiency: float | None


class Limit(Facts):
    """A sequence length."""

    seq_len: int
    rows_over: int
    rows_over_share: float
    truncated: Cost
    dropped: Cost


class Coverage(Facts):
    """The sequence length that a share of the rows asks for."""

    percent: float
    needed: int
    limit: Limit


class Recommendation(Facts):
    """A sequence length, and why."""

    limit: Limit
    reasons: tuple[str, ...]


class Budget(Facts):
    """What lengths mean for training."""

    limits: tuple[Limit, ...]
    coverage: tuple[Coverage, ...]
    recommendation: Recommendation

    @property
    def telling(self) -> tuple[Limit, ...]:
        """The limits up to the first that no row is over: longer ones say nothing new."""
        enough = next((place for place, limit in enumerate(self.limits) if not limit.rows_over), len(self.limits))
        return self.limits[: enough + 1]


class Tokenizer(Facts):
    """Who counted."""

    name: str


class Percentile(Facts):
    """A length that so many percent of the rows do not exceed."""

    percent: float
    value: int


class Part(Facts):
    """The tokens of one part of the conversations."""

    count: int
    total: int
    mean: float | None
    percentiles: tuple[Percentile, ...]


class Lengths(Facts):
    """What `lengths` found."""

    tokenizer: Tokenizer
    parts: dict[str, Part]
    budget: Budget | None


F = TypeVar("F", bound=Facts)


@dataclass(frozen=True)
class Finding(Generic[F]):
    """Figures and where they come from; without figures, why there are none."""

    figures: F | None
    origin: str
    here: bool = False
    """Whether the figures are of the very rows of the report, so that its indices are theirs."""


def from_lineage(lineage: Lineage, stage: str, form: type[F]) -> Finding[F] | None:
    """What the last stage of this name recorded; None when there was no such stage."""
    for position, record in reversed(list(enumerate(lineage.records, start=1))):
        if record.stage == stage:
            origin = f"measured by stage {position} ({stage}) of the pipeline, on {rows_text(record.rows_in)}"
            return _validated(record.facts, form, origin)
    return None


def measured(data: Dataset | DatasetDict, stage: str, form: type[F], **fields: Any) -> Finding[F]:
    """What the stage finds in these rows now."""
    try:
        result = registry().stage(stage)(**fields).run(data)
    except KbError as error:
        return Finding(None, f"not measured: {error}")
    return _validated(result.facts, form, "measured on the rows of this report", here=True)


def _validated(facts: Mapping[str, Any], form: type[F], origin: str, *, here: bool = False) -> Finding[F]:
    try:
        return Finding(form.model_validate(dict(facts)), origin, here)
    except ValidationError as error:
        return Finding(
            None, f"{origin}; its figures have a form that this report cannot show ({error.error_count()} faults)"
        )


def verdict_columns(columns: Sequence[Column]) -> tuple[str, ...]:
    """Columns that hold verdicts on one scale: `difficulty`, and those called `..._difficulty` with its labels."""
    choices = [column for column in columns if isinstance(column, Labels) and column.few and column.distinct > 1]
    for base in choices:
        same = [other.path for other in choices if other is not base and _rates_the_same(other, base)]
        if same:
            return (base.path, *same)
    return ()


def _rates_the_same(other: Labels, base: Labels) -> bool:
    shared = set(other.labels) & set(base.labels)
    return other.path.endswith(f"_{base.path}") and bool(shared)
