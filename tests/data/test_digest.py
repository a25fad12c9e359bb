"""Digests in pieces are those of the whole."""

import hashlib

import pytest

from kbtools.data.digest import PIECE, sha256


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 100_000])
def test_a_digest_is_that_of_hashlib(size):
    """Whatever the number of pieces."""
    data = bytes(range(256)) * (size // 256 + 1)
    assert sha256(data[:size]) == hashlib.sha256(data[:size]).hexdigest()
