"""What makes two codes alike: how similar their text is. What else may make them alike is in `computation.classes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from kbtools_plugins.leaks.distinct import Collection, collect
from kbtools_plugins.leaks.sets import Matches
from kbtools_plugins.leaks.tokens import Normalise

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

Way = Literal["text", "trace", "computation"]
"""What finds a pair of codes."""


@dataclass(frozen=True)
class Compared:
    """Texts in the order of their rank, compared: each has a code, equal ones the same."""

    codes: Sequence[int]
    """The number of each text's code."""
    matches: Matches
    """For each code the better one that is kept in its place."""
    components: Callable[[], np.ndarray]
    """For each code the first of all that are connected with it."""
    unparsed: Sequence[int] = ()
    """The places of texts that do not parse."""
    silent: Sequence[int] = ()
    """The places of texts that could not be run, where they had to be."""
    ways: Mapping[int, Way] = field(default_factory=dict)
    """For a code with a match the cheapest way to find it, where there are several."""


class TextComparison(Protocol):
    """Compares texts; those of different salt are never alike."""

    def compare(self, ds: Dataset, path: str, salts: list[int]) -> Compared:
        """Read a column of texts, none of them null, the best first."""


@dataclass(frozen=True)
class ByText:
    """Alike by the Jaccard similarity of their shingles."""

    threshold: float
    normalise: Normalise

    def compare(self, ds: Dataset, path: str, salts: list[int]) -> Compared:
        """Read each text once, and join the sets of shingles."""
        collection = Collection(self.normalise)
        codes = collect(ds, path, salts, collection)
        sets = collection.joined()
        return Compared(
            codes, sets.greedy(self.threshold), lambda: sets.components(self.threshold), tuple(collection.unparsed)
        )
