"""What `lengths` finds, as data: the record of the lineage, the report and the drawings are all made from it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Figures(BaseModel):
    """Base of all figures: frozen, and documented field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Percentile(Figures):
    """The smallest observed length that at least `percent` of the rows do not exceed."""

    percent: float
    value: int
    low: int | None = None
    """95% interval, from the order statistics; None where too few rows lie beyond."""
    high: int | None = None


class Histogram(Figures):
    """Rows by length; bin i covers edges[i] <= length < edges[i+1], the last bin also its upper edge."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]


class Distribution(Figures):
    """The lengths of one part of the conversations, in tokens."""

    count: int
    missing: int = 0
    """Rows whose length of this part is not known, which no other figure here counts."""
    total: int = 0
    min: int | None = None
    max: int | None = None
    mean: float | None = None
    median: float | None = None
    """Middle value, or the mean of the two in the middle."""
    percentiles: tuple[Percentile, ...] = ()
    histogram: Histogram | None = None


class Cost(Figures):
    """What training at one length costs under one way with longer rows."""

    rows: int
    """Rows that are left to train on."""
    tokens_lost: int
    tokens_lost_share: float
    padding_waste: float | None
    """Share of padding when every row is padded to the full length."""
    packed_samples: int
    """Samples that best-fit decreasing fills."""
    packing_efficiency: float | None
    """Share of tokens in the packed samples."""


class Limit(Figures):
    """What a sequence length means for the rows."""

    seq_len: int
    rows_over: int
    rows_over_share: float
    truncated: Cost
    """Longer rows are cut at the length."""
    dropped: Cost
    """Longer rows are left out."""


class Coverage(Figures):
    """The sequence length that a share of the rows asks for."""

    percent: float
    needed: int
    """Length of the longest of these rows."""
    limit: Limit
    """At `needed`, rounded up to the trainer's multiple."""


class Recommendation(Figures):
    """A sequence length, and why."""

    limit: Limit
    reasons: tuple[str, ...]


class Budget(Figures):
    """What the lengths of whole conversations mean for training."""

    limits: tuple[Limit, ...]
    coverage: tuple[Coverage, ...]
    recommendation: Recommendation


class TokenizerRecord(Figures):
    """Which tokenizer counted, exactly."""

    name: str
    revision: str | None
    sha256: str
    """Over tokenizer.json, the chat template and the special tokens."""
    counter: str
    """The library that counted."""


class LengthFigures(Figures):
    """Everything that `lengths` finds."""

    tokenizer: TokenizerRecord
    parts: dict[str, Distribution]
    """By name: conversation, prompt, completion, reasoning, answer."""
    budget: Budget | None
    """None when there are no rows."""
