"""What fresh memory holds until it is written: patterns that no result may depend on.

One pattern is the right answer to some kernel: NaN is ignored by `maximum`, a large number by `minimum`, -1 is True,
zeros are sums that have not begun. So every run of a check gives each place another one of four, and which place gets
which is drawn from a number that follows from the secret inputs.
"""

from __future__ import annotations

import numpy as np
import torch

PATTERNS = (0xFF, 0x7B, 0xFB, 0x00)
"""By byte: NaN in every floating type and -1, a large positive number, a large negative one, and zero."""
_BLOCK = 16
"""Bytes that hold one pattern: an element of the widest type."""
_WORDS = np.array([pattern * 0x0101_0101_0101_0101 for pattern in PATTERNS], dtype=np.uint64)


class Unwritten(Exception):
    """A result depends on memory that nothing was written to."""


def poisoned(size: int, seed: int, turn: int) -> torch.Tensor:
    """Bytes of fresh memory; in any four consecutive turns each place goes through all patterns."""
    generator = np.random.default_rng((seed, size))
    first = generator.integers(0, len(PATTERNS), -(-size // _BLOCK), dtype=np.uint8)
    words = _WORDS[(first + turn) % len(PATTERNS)]
    return torch.from_numpy(np.repeat(words, _BLOCK // _WORDS.itemsize).view(np.uint8)[:size])
