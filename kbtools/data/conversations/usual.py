"""The usual texts, whole columns at once: at most one block of `<think>`, then one `<answer>`, plainly written.

Their answers are what `kbtools.data.conversations.reasoning` finds in them, without making a Python object of any text.
Whatever might be a mark beside those makes a text an unusual one, and so does all that could be read in another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kbtools.data.conversations.marks import BRACKETED, COMPOUNDS, FOREIGN, NAMES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_PLAIN = ("<think>", "</think>", "<answer>", "</answer>")
_NAMED = "|".join((*NAMES, *FOREIGN, "answer", "channel"))
_PERHAPS_MARK = rf"<(?i:\||[^\s<>]*(?:{'|'.join(COMPOUNDS)})|/?(?:[^\s<>:]*:)?(?:{_NAMED}))"
"""What begins every mark with an angle, and much else; each such place is counted once."""
_UNUSUAL = ("_PYTHON", "◁", "assistantfinal", rf"\[(?i:/?(?:{'|'.join(BRACKETED)}))", r"</answer>(?s:.)*(?:```|~~~)")
_VISIBLE = r"<answer>[^!-~]*[!-;=-~]"
"""An answer whose first character of ASCII that prints something is no mark: so it isn't blank."""
_MOST_BYTES = (1 << 31) - 1
"""Up to which a view can say where a text is."""
_INLINE = 12
"""Bytes of a text that a view holds itself."""


class Usual(NamedTuple):
    """Which texts are usual, and the answers of those."""

    which: np.ndarray
    answers: pa.Array


def usual_answers(texts: pa.Array, aside: np.ndarray, *, unwrap: bool) -> Usual:
    """The answers of the usual texts, in their tags unless those are to be dropped; null is not usual.

    Those `aside` are not usual whatever is in them.
    """
    import pyarrow.compute as pc

    marks = _numbers(pc.count_substring_regex(texts, _PERHAPS_MARK))
    think, end_think, answer, end_answer = (_numbers(pc.find_substring_regex(texts, tag)) for tag in _PLAIN)
    bare = (think < 0) & (end_think < 0) & (marks == 2)
    closed = (think < 0) & (end_think >= 0) & (marks == 3)
    whole = (think >= 0) & (think < end_think) & (marks == 4)
    which = ~aside & (bare | closed | whole) & (end_think < answer) & (answer >= 0) & (answer < end_answer)
    for pattern in _UNUSUAL:
        which &= ~_truths(pc.match_substring_regex(texts, pattern))
    which &= _truths(pc.match_substring_regex(texts, _VISIBLE))
    first = answer + (len("<answer>") if unwrap else 0)
    lengths = end_answer + (0 if unwrap else len("</answer>")) - first
    starts = _starts(texts)
    which &= (lengths > _INLINE) & (starts + first + lengths <= _MOST_BYTES)
    return Usual(which, _pieces(texts, (starts + first)[which], lengths[which]))


def _numbers(found: pa.Array) -> np.ndarray:
    """Counts or positions, -1 for null."""
    numbers: np.ndarray = found.fill_null(-1).to_numpy(zero_copy_only=False)
    return numbers


def _truths(found: pa.Array) -> np.ndarray:
    truths: np.ndarray = found.fill_null(False).to_numpy(zero_copy_only=False)
    return truths


def _starts(texts: pa.Array) -> np.ndarray:
    """Where each text begins in the buffer of them all."""
    import numpy as np
    import pyarrow as pa

    if not len(texts):
        return np.zeros(0, np.int64)
    offsets = np.frombuffer(texts.buffers()[1], np.int64 if pa.types.is_large_string(texts.type) else np.int32)
    starts: np.ndarray = offsets[texts.offset : texts.offset + len(texts)].astype(np.int64)
    return starts


def _pieces(texts: pa.Array, first: np.ndarray, lengths: np.ndarray) -> pa.Array:
    """So many bytes from each of these positions on in the buffer of the texts, as an array of their type.

    They are cut as views, the layout of which is in Arrow's format: length, first four bytes, buffer, position.
    """
    import numpy as np
    import pyarrow as pa

    if not len(first):
        return pa.array([], texts.type)
    buffer = texts.buffers()[2]
    views = np.zeros((len(first), 4), np.int32)
    views[:, 0], views[:, 3] = lengths, first
    views.view(np.uint8)[:, 4:8] = np.frombuffer(buffer, np.uint8)[first[:, None] + np.arange(4)]
    cut = pa.Array.from_buffers(pa.string_view(), len(first), [None, pa.py_buffer(views), buffer])
    return cut.cast(texts.type)
