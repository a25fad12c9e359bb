"""What `lengths` finds, as data: the record of the lineage, the report and the drawings are all made from it."""

from __future__ import annotations

from kbtools.figures import Facts


class Percentile(Facts):
    """The smallest observed length that at least `percent` of the rows do not exceed."""

    percent: float
    value: int
    low: int | None = None
    """95% interval, from the order statistics; None where too few rows lie beyond."""
    high: int | None = None


class LengthBins(Facts):
    """Rows by length; bin i covers edges[i] <= length < edges[i+1], the last bin also its upper edge."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]


class Distribution(Facts):
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
    histogram: LengthBins | None = None


class Cost(Facts):
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


class Limit(Facts):
    """What a sequence length means for the rows."""

    seq_len: int
    rows_over: int
    rows_over_share: float
    truncated: Cost
    """Longer rows are cut at the length."""
    dropped: Cost
    """Longer rows are left out."""


class Coverage(Facts):
    """The sequence length that a share of the rows asks for."""

    percent: float
    needed: int
    """Length of the longest of these rows."""
    limit: Limit
    """At `needed`, rounded up to the trainer's multiple."""


class Recommendation(Facts):
    """A sequence length, and why."""

    limit: Limit
    reasons: tuple[str, ...]


class TrainingCosts(Facts):
    """What the lengths of whole conversations mean for training."""

    limits: tuple[Limit, ...]
    coverage: tuple[Coverage, ...]
    recommendation: Recommendation


class TokenizerRecord(Facts):
    """Which tokenizer counted, exactly."""

    name: str
    revision: str | None
    sha256: str
    """Over tokenizer.json, the chat template and the special tokens."""
    counter: str
    """The library that counted."""


class LengthFigures(Facts):
    """Everything that `lengths` finds."""

    tokenizer: TokenizerRecord
    parts: dict[str, Distribution]
    """By name: conversation, prompt, completion, reasoning, answer."""
    budget: TrainingCosts | None
    """None when there are no rows."""
