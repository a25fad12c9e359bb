"""Values of rows as text for a terminal: code highlighted, messages as turns, reasoning dimmed, long fields folded.

Nothing from a dataset is ever markup or an escape sequence here: all of it goes through `printable` into `Text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from kbtools.cli.ui.text import printable
from kbtools.data.conversations.fields import REASONING_FIELDS
from kbtools.data.conversations.marks import ends_of_reasoning
from kbtools.data.conversations.messages import decode, looks_encoded
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.errors import UsageError
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_FOLD_LINES = 20
_FOLD_CHARS = 2_000
_CODE = re.compile(r"^(import \w|from [\w.]+ import |def \w|class \w|@triton\.)", re.MULTILINE)


def one_split(data: Dataset | DatasetDict, name: str) -> Dataset:
    """The dataset itself, or its only split; UsageError names the splits when there are several."""
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise UsageError(f"{name} has the splits {', '.join(data)}: choose one with --split.")
    only: Dataset = next(iter(data.values()))
    return only


def rendered(row: Mapping[str, Any], *, full: bool) -> Iterator[Text]:
    """A row, column by column."""
    for name, value in row.items():
        yield from _field(name, value, full)


def _field(path: str, value: object, full: bool) -> Iterator[Text]:
    turns = _messages(value)
    if turns is not None:
        yield _heading(path, counted(len(turns), "message"))
        for turn in turns:
            yield from _turn(turn, full)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _field(f"{path}.{name}", inner, full)
    elif isinstance(value, str) and ("\n" in value or len(value) > 80):
        yield _heading(path, _size(value))
        yield _text(value, full, dim=path.rpartition(".")[2] in REASONING_FIELDS)
    elif value is None or isinstance(value, int | float):  # most cells: nothing in them can be long or code
        name = printable(path)
        line = Text(f"{name}: {json.dumps(value)}")
        line.stylize("bold cyan", 0, len(name))
        if value is None:
            line.stylize("dim", len(name) + 2)
        yield line
    else:
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        yield Text.assemble((printable(path), "bold cyan"), ": ", _text(shown, full, dim=value is None))


def _messages(value: object) -> Sequence[Mapping[str, object]] | None:
    """The messages that a value holds as a list or as JSON text, or None."""
    if not value or not (isinstance(value, list) or (isinstance(value, str) and looks_encoded(value))):
        return None
    try:
        return decode(value)
    except ReasoningError:  # a list of something else, or text that only looked like messages
        return None


def _turn(turn: Mapping[str, object], full: bool) -> Iterator[Text]:
    yield Text(f"[{printable(str(turn['role']))}]", style="bold magenta")
    for name, value in turn.items():
        if name in REASONING_FIELDS and value:
            yield Text(f"({name})", style="dim italic")
            yield _text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), full, dim=True)
    content = turn.get("content")
    yield _text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), full)
    for name, value in turn.items():
        if name not in ("role", "content", *REASONING_FIELDS) and value is not None:
            yield from _field(name, value, full)


def _heading(path: str, size: str) -> Text:
    return Text.assemble((printable(path), "bold cyan"), f" ({size})")


def _size(text: str) -> str:
    return f"{counted(len(text.splitlines()), 'line')}, {counted(len(text), 'character')}"


def _text(value: str, full: bool, *, dim: bool = False) -> Text:
    shown, rest = (value, "") if full else _folded(value)
    text = Text(printable(shown), style="dim") if dim else _highlighted(printable(shown))
    return text.append(rest, style="italic yellow") if rest else text


def _folded(value: str) -> tuple[str, str]:
    """The beginning of a long text, and a line that says how much is left out."""
    lines = value.splitlines(keepends=True)
    shown = "".join(lines[:_FOLD_LINES])[:_FOLD_CHARS]
    if len(shown) == len(value):
        return value, ""
    left = len(lines) - len(shown.splitlines())
    much = counted(left, "more line") if left else counted(len(value) - len(shown), "more character")
    return shown.rstrip("\n"), f"\n… {much} (--full shows all)"


def _highlighted(text: str) -> Text:
    """Code in colours, what is before the end of reasoning dimmed, the rest as it is."""
    if end := max(ends_of_reasoning(text), default=0):
        return Text().append(text[:end], style="dim").append_text(_highlighted(text[end:]))
    if "```" in text:
        return _coloured(text, "markdown")
    return _coloured(text, "python") if _CODE.search(text) else Text(text)


def _coloured(text: str, language: str) -> Text:
    from rich.syntax import Syntax

    syntax = Syntax("", language, theme="ansi_dark", background_color="default")
    coloured = syntax.highlight(text)
    return coloured if coloured.plain == text else _as_long_as(coloured, text)


def _as_long_as(coloured: Text, text: str) -> Text:
    """The lexer strips and adds newlines at the ends; the text itself is never changed by its colours."""
    if coloured.plain.rstrip("\n") == text.rstrip("\n"):
        coloured.rstrip()
        return coloured.append(text[len(coloured.plain) :])
    return Text(text)
