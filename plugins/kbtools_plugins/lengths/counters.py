"""Counting tokens: with `tokenizers` itself, or with tokie, which is faster and has to prove that it counts the same.

A counter takes texts that are rendered already and adds no special tokens of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kbtools.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

_CHUNK_CHARACTERS = 1 << 20
"""Text handed over at once: enough for every core, while the encodings (some 100 bytes a token) stay small."""


class Counter(Protocol):
    """Gives the number of tokens of each text."""

    @property
    def name(self) -> str:
        """Of the library that counts."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; raises whatever the library raises for a text that it cannot take."""


@dataclass(frozen=True)
class Exact:
    """The tokenizer itself, without offsets."""

    tokenizer: Tokenizer
    name: str = "tokenizers"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        counts: list[int] = []
        for chunk in _chunks(texts):
            encodings = self.tokenizer.encode_batch_fast(chunk, add_special_tokens=False)
            counts.extend(len(encoding) for encoding in encodings)
        return counts


class Tokie:
    """tokie over the same tokenizer.json; it counts without making tokens."""

    name = "tokie"

    def __init__(self, path: Path) -> None:
        import tokie

        self._tokenizer = tokie.Tokenizer.from_json(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        counts: list[int] = self._tokenizer.count_tokens_batch(list(texts))
        return counts


def choose(exact: Counter, path: Path, sample: Sequence[str], *, fast: bool) -> tuple[Counter, list[str]]:
    """The counter to use and what to tell people: tokie only if it is wanted, there, and right on the whole sample."""
    if not fast:
        return exact, []
    try:
        tokie = Tokie(path)
    except ImportError:
        return exact, []
    except BaseException as error:  # noqa: BLE001  # a Rust panic is not an Exception
        _let_through(error)
        return exact, [
            f"tokie cannot read this tokenizer ({_line(error)}): counted with `tokenizers`, which is slower."
        ]
    fault = disagreement(exact, tokie, sample)
    if fault:
        return exact, [f"tokie {fault}: counted with `tokenizers`, which is slower."]
    return tokie, []


def disagreement(exact: Counter, other: Counter, sample: Sequence[str]) -> str | None:
    """How two counters differ on these texts; None when they do not."""
    try:
        pairs = list(zip(exact.count(sample), other.count(sample), strict=True))
    except BaseException as error:  # noqa: BLE001  # a Rust panic is not an Exception
        _let_through(error)
        return f"failed on a sample ({_line(error)})"
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    if not wrong:
        return None
    return (
        f"counts differently from the tokenizer on {len(wrong)} of {counted(len(pairs), 'text')} "
        f"(first {wrong[0][1]:,} instead of {counted(wrong[0][0], 'token')})"
    )


def _let_through(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts in order, in lists of about `_CHUNK_CHARACTERS`."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        if chunk and size + len(text) > _CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
        chunk.append(text)
        size += len(text)
    if chunk:
        yield chunk
