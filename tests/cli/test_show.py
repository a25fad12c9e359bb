"""`kbtools show` prints rows readably, and nothing in a dataset can steer the terminal."""

import json
import subprocess
import sys

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kbtools.cli.commands import show
from kbtools.cli.ui.row_views import rendered
from kbtools.cli.ui.text import printable
from kbtools.data.table import row_names
from tests.rows import evals, evals_row

HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]b[/bold] [link=file:///x]x[/link] \u202eoverride \r over"


def plain(row, *, full=False):
    """What a row looks like without a terminal."""
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        for part in rendered(row, full=full):
            console.print(part, soft_wrap=True)
    return captured.get()


def test_row_as_it_is_shown(cli, file, file_regression):
    """Nested columns by their paths, messages as turns, long texts under a heading."""
    done = cli("show", file, "-n", 2)
    file_regression.check(done.out.replace(str(file), "rows.jsonl"), extension=".txt")


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("--row", "2"), ["102"]),
        (("--row", "-1"), ["105"]),
        (("--id", "103"), ["103"]),
        (("--where", "reward > 0.5"), ["103", "104", "105"]),
        (("--where", "reward > 0.5", "-n", "1"), ["103"]),
        ((), ["100", "101", "102", "103", "104"]),
    ],
    ids=" ".join,
)
def test_rows_are_chosen(cli, file, words, ids):
    """By index, id, expression or number."""
    done = cli("show", file, *words)
    assert [line.split()[-1] for line in done.out.splitlines() if line.startswith("example_id:")] == ids


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--row", "6"), "there are 6 rows"),
        (("--id", "7"), "no row has that example_id"),
        (("--where", "x"), "column 'x'"),
    ],
    ids=str,
)
def test_rows_that_are_not_there(cli, file, words, message):
    """Are errors, not an empty page."""
    done = cli("show", file, *words)
    assert (done.code, message in done.err) == (2, True)


def test_case_13_rows_are_read_and_named_a_hundred_at_a_time(cli, tmp_path, monkeypatch):
    """Work that grows with each hundred rows, not with each row; every row is printed once, under its name."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": number, "text": "x"}) + "\n" for number in range(3_004)))
    cli("show", path)  # the file is converted once
    named, made = [], []
    real = datasets.Dataset.__init__
    monkeypatch.setattr(
        show, "row_names", lambda ds, rows, columns: named.append(len(rows)) or row_names(ds, rows, columns)
    )
    monkeypatch.setattr(datasets.Dataset, "__init__", lambda *args, **kw: made.append(1) or real(*args, **kw))
    done = cli("show", path, "-n", 3_000)
    assert [line for line in done.out.splitlines() if line.startswith("id:")] == [f"id: {n}" for n in range(3_000)]
    assert named == [100] * 30
    assert len(made) <= 4 * len(named)


def test_splits_are_not_guessed(cli, tmp_path):
    """Several splits: one has to be named."""
    ds = evals([0.1, 0.2])
    datasets.DatasetDict({"train": ds, "validation": ds}).save_to_disk(tmp_path / "d")
    assert "has the splits train, validation: choose one with --split" in cli("show", tmp_path / "d").err
    assert "row 0 (example_id 100)" in cli("show", tmp_path / "d", "--split", "validation").out


def test_long_fields_are_folded_and_full_unfolds(file):
    """The fold says how much is left out."""
    row = {"code": "x = 1\n" * 100, "line": "y" * 5_000}
    folded = plain(row)
    assert "… 80 more lines (--full shows all)" in folded
    assert "… 3,000 more characters (--full shows all)" in folded
    assert plain(row, full=True).count("x = 1") == 100


def test_text_of_a_dataset_is_never_obeyed():
    """Escape sequences are spelled out and markup stands as it is, in values, column names and roles alike."""
    row = evals_row(0, HOSTILE, 1.0, HOSTILE) | {HOSTILE: HOSTILE}
    row["prompt"][0]["role"] = HOSTILE
    shown = plain(row)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
    assert "\\x1b[31mred\\x1b]0;title\\x07 [bold]b[/bold] [link=file:///x]x[/link] \\u202eoverride \\x0d over" in shown


def test_highlighting_changes_no_character():
    """What is coloured is still the text of the row, odd ends included."""
    code = "\n\n  import torch\n\nclass A:\n\tx = '''\n"
    console = Console(width=200, force_terminal=True, color_system="truecolor", no_color=True)
    with console.capture() as captured:
        for part in rendered({"code": code}, full=True):
            console.print(part, soft_wrap=True, end="")
    assert "class A:" in captured.get()
    assert [part.plain for part in rendered({"code": code}, full=True)][1] == code


def test_reasoning_is_dimmed_and_the_answer_is_not():
    """Both in its own field and before `</think>`."""
    row = {"completion": [{"role": "assistant", "content": "<think>r</think>plain", "reasoning": "because"}]}
    parts = {part.plain: part for part in rendered(row, full=False)}
    assert parts["because"].style == "dim"
    content = parts["<think>r</think>plain"]
    assert [(span.start, span.end, span.style) for span in content.spans] == [(0, 16, "dim")]


def test_messages_as_json_text_are_turns():
    """As some datasets store them."""
    shown = plain({"messages": '[{"role": "user", "content": "hi", "name": "ann"}]'})
    assert shown.splitlines() == ["messages (1 message)", "[user]", "hi", "name: ann"]


@given(st.text(alphabet=st.characters(codec=None)))
def test_printable_text_holds_no_control_character(text):
    """Whatever the text, and it can always be written out."""
    safe = printable(text)
    assert all(char in "\n\t" or (ord(char) >= 0x20 and not 0x7F <= ord(char) < 0xA0) for char in safe)
    assert printable(safe) == safe
    assert safe.encode("utf-8").decode() == safe


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))))
def test_ordinary_text_is_unchanged(text):
    """Letters, digits, punctuation and symbols of every script."""
    assert printable(text) == text


def test_many_rows_are_named_from_one_read_and_printed_as_they_come(cli, tmp_path, monkeypatch):
    """No view of the dataset for every row: thousands take no longer than their text; a view keeps its order."""
    ds = datasets.Dataset.from_dict({"id": list(range(1_000)), "a": ["x"] * 1_000}).select(range(999, -1, -1))
    ds.save_to_disk(tmp_path / "d")
    selects = []
    monkeypatch.setattr(datasets.Dataset, "select", counting(datasets.Dataset.select, selects))
    done = cli("show", tmp_path / "d", "-n", 950)
    assert [line.split(" ─")[0] for line in done.out.splitlines() if line.startswith("row ")] == [
        f"row {index} (id {999 - index})" for index in range(950)
    ]
    assert len(selects) <= 20


def counting(function, calls):
    """The function, which notes that it was called."""

    def counted(*args, **settings):
        calls.append(function)
        return function(*args, **settings)

    return counted


def test_a_reader_that_has_gone_ends_it(tmp_path):
    """`| head -1` of many rows."""
    datasets.Dataset.from_dict({"id": list(range(20_000)), "a": ["x" * 500] * 20_000}).to_parquet(
        tmp_path / "x.parquet"
    )
    command = f"{sys.executable} -c 'from kbtools.cli import main; main()' show x.parquet -n 20000 | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x.parquet: 20,000 rows, 2 columns\n", "")
