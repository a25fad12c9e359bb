"""From a stream to the set of its shingles: 64-bit digests of five tokens in a row.

Within a shingle bound names are numbered anew, so that a further variable does not change what comes after it. A stream
of fewer than five tokens has one shingle for all of it: it equals only the very same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools_plugins.leaks.tokens import WIDTH, TokenStream

if TYPE_CHECKING:
    import numpy as np


def shingles(found: TokenStream) -> np.ndarray:
    """The different shingles of a stream, in ascending order."""
    import numpy as np

    count = len(found) - WIDTH + 1
    if count < 1:
        return np.frombuffer(found.digest[:8], np.uint64) if len(found) else np.zeros(0, np.uint64)
    total = np.zeros(count, np.uint64)
    for place in range(WIDTH):
        total = _mixed(total ^ _in_window(found, place, count))
    return np.unique(total)


def _in_window(found: TokenStream, place: int, count: int) -> np.ndarray:
    """The token at one place of every window; bound names are marked with the first place where the window has them."""
    import numpy as np

    here = found.names[place : place + count]
    first = np.full(count, place + 1, np.uint64)
    for earlier in range(place - 1, -1, -1):
        first[found.names[earlier : earlier + count] == here] = earlier + 1
    first[here < 0] = 0
    marked: np.ndarray = found.tokens[place : place + count] + first * np.uint64(0x9E3779B97F4A7C15)
    return marked


def _mixed(values: np.ndarray) -> np.ndarray:
    """Each 64-bit value with its bits spread over all of it (the finaliser of splitmix64)."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
