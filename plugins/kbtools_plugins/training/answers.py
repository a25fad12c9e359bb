"""What a row's answer is: its conversation as turns, and the digest and length by which answers are compared.

Two answers are the same when their code is, up to comments, docstrings and formatting; text that is not Python is
compared as it is.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kbtools.data import texts
from kbtools.data.table import batches
from kbtools_plugins.code_shape import code_digest

if TYPE_CHECKING:
    from datasets import Dataset


def digests_and_lengths(ds: Dataset, path: str) -> tuple[list[str], list[int]]:
    """A digest of each answer's code and the answer's length in characters; an empty answer has the digest ''."""
    digests: list[str] = []
    lengths: list[int] = []
    for table in batches(ds, [path], rows=500):
        for text in texts.of_column(table, path):
            digests.append(answer_digest(text or ""))
            lengths.append(len(text or ""))
    return digests, lengths


def answer_digest(text: str) -> str:
    """Digest of an answer's code without comments, docstrings and formatting; of the text where it does not parse."""
    return code_digest(_code(text)) if text.strip() else ""


def _code(text: str) -> str:
    """The longest fenced block of an answer, or all of it where nothing is fenced."""
    blocks = text.split("```")[1::2]
    return max((block.partition("\n")[2] for block in blocks), key=len, default=text)


def column_digests(ds: Dataset, path: str | None) -> list[str]:
    """A digest of the messages or text in a column, by which rows of the same prompt are found; '' without a column."""
    if path is None:
        return [""] * ds.num_rows
    found: list[str] = []
    for table in batches(ds, [path], rows=500):
        found += [_digest(value) for value in table.column(path).to_pylist()]
    return found


def _digest(value: object) -> str:
    return hashlib.sha256(repr(_without_nulls(value)).encode("utf-8", "surrogatepass")).hexdigest()


def _without_nulls(value: object) -> object:
    """Messages of one column all have the same fields, null where others use them."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in sorted(value.items()) if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
