"""`kbtools label` and the stage `add-labels`: labels by hand, in a file that survives, as a column to be compared."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import kbtools as kb
from kbtools.data.labels import LabelQuestion, keys, opened, read_labels
from kbtools.errors import DataError, SchemaError, UsageError

LABELS = "sample-difficulty.labels.jsonl"
COMMAND = [sys.executable, "-c", "from kbtools.cli import main; main()", "label"]


@contextmanager
def labelling(*options: str) -> Iterator[str]:
    """The address of a page that a real process serves until Ctrl-C."""
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 0


def ask(url: str, value: object = ..., **headers: str) -> Any:
    """An answer of the server, or its status."""
    body = None if value is ... else json.dumps({"value": value}).encode()
    request = urllib.request.Request(url, body, headers, method="PUT" if body else "GET")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code


def test_labels_are_written_at_once_and_a_second_run_goes_on():
    """What is refused is not written, a label can be taken back, and nobody else may ask."""
    with labelling("sample", "--column", "difficulty", "--limit", "4") as url:
        assert ask(f"{url}rows/0/label", "high") == {"done": 1}
        assert len(Path(LABELS).read_text().splitlines()) == 2
        assert ask(f"{url}rows/1/label", "low") == {"done": 2}
        assert ask(f"{url}rows/1/label", None) == {"done": 1}
        assert [ask(f"{url}rows/1/label", "huge"), ask(f"{url}rows/1/label", 1), ask(f"{url}rows/4")] == [400, 400, 404]
        assert ask(f"{url}rows/0/verdict") == 404
        assert ask(f"{url[:-3]}x/rows") == 404
        assert ask(f"{url}rows", Host="elsewhere.example") == 403
        again = subprocess.run(
            [*COMMAND, "sample", "--column", "difficulty"], capture_output=True, text=True, check=False
        )
        assert again.returncode == 2
        assert "another run" in again.stderr
    with labelling("sample", "--column", "difficulty", "--limit", "4") as url:
        assert [row["value"] for row in ask(f"{url}rows")["rows"]] == ["high", None, None, None]


def test_labels_become_a_column_that_is_compared_with_the_judge(tmp_path):
    """Rows with the same texts share a label, and the file's question gives the column its type."""
    ds = kb.load("sample", limit=6)
    judged = ds.add_column("difficulty", ["low", "high", "low", "medium", "high", "low"])
    shown = ("info.python_code", "completion")
    question = LabelQuestion(column="difficulty", values=("low", "medium", "high"), shown=shown)
    with opened(tmp_path / "l.jsonl", question) as file:
        for row, value in enumerate(["low", "high", "low", "low"]):
            file.add(keys(ds, shown)[row], f"row {row}", value)
        file.add("of another row", "row 9", "low")
    done = kb.apply(judged, kb.AddLabels(labels=tmp_path / "l.jsonl"))
    assert done["gold_difficulty"][:] == ["low", "high", "low", "low", None, None]
    record = kb.lineage.of(done).records[-1]
    assert record.notes[0] == "labels for 4 rows of 6."
    assert record.notes[1].endswith("changed since): 1.")
    agreed = kb.apply(done, kb.Agreement(between=("difficulty", "gold_difficulty"), resamples=0))
    assert kb.lineage.of(agreed).records[-1].facts["whole"]["pairs"][0]["n"] == 4


def test_a_changed_text_or_file_is_never_silently_used(tmp_path):
    """A label stays with the text that was looked at; a run over changed labels is not taken from the cache."""
    ds, path = kb.load("sample", limit=2), tmp_path / "l.jsonl"
    shown = ("info.python_code",)
    question = LabelQuestion(column="score", values=(0, 1, 2), shown=shown)
    for value in (1, 2):
        with opened(path, question) as file:
            file.add(keys(ds, shown)[0], "row 0", value)
        assert kb.apply(ds, kb.AddLabels(labels=path))["gold_score"][:] == [value, None]
    changed = ds.map(lambda row: {"info": {**row["info"], "python_code": row["info"]["python_code"] + "#"}})
    assert kb.apply(changed, kb.AddLabels(labels=path, into="g"))["g"][:] == [None, None]


def test_a_line_that_was_cut_off_is_given_up_and_a_foreign_file_is_left_alone(tmp_path):
    """Only the last line can be half there; anything else is an error that names the line."""
    path, question = tmp_path / "l.jsonl", LabelQuestion(column="d", values=("a", "b"), shown=("text",))
    with opened(path, question) as file:
        file.add("k", "row 0", "a")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "x", "ro')
    with opened(path, question) as file:
        assert file.values == {"k": "a"}
    assert path.read_bytes() == whole
    with (
        pytest.raises(UsageError, match="file of its own"),
        opened(path, question.model_copy(update={"values": ("a",)})),
    ):
        pass
    path.write_bytes(whole + b'{"reward": 1}\n')
    with pytest.raises(DataError, match="line 3"):
        read_labels(path)
    assert path.read_bytes() == whole + b'{"reward": 1}\n'


def test_files_of_others_and_ends_that_an_editor_took_lose_nothing(tmp_path):
    """A file that is not one of labels is left as it is, with or without an end of line; a last label stays one."""
    path, question = tmp_path / "l.jsonl", LabelQuestion(column="d", values=("a", "b"), shown=("text",))
    for foreign in (b"notes", b"notes\nmore", b'{"reward": 1}', b'{"labels":1}', b"\n"):
        path.write_bytes(foreign)
        with pytest.raises(DataError), opened(path, question):
            pass
        assert path.read_bytes() == foreign
    path.unlink()
    with opened(path, question) as file:
        file.add("k", "row 0", "a")
    whole = path.read_bytes()
    path.write_bytes(whole + b"notes")
    with pytest.raises(DataError, match="line 3"), opened(path, question):
        pass
    assert path.read_bytes() == whole + b"notes"
    path.write_bytes(whole.rstrip(b"\n"))
    assert read_labels(path)[1] == {"k": "a"}
    with opened(path, question) as file:
        assert file.values == {"k": "a"}
    assert path.read_bytes() == whole
    path.write_bytes(whole[:20])  # the first line, cut off
    with opened(path, question) as file:
        assert file.values == {}


def test_what_cannot_be_asked_is_said_before_the_page():
    """Unknown columns, scales that nobody told, datasets without code."""
    run = lambda *options: subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)  # noqa: E731 - a short name for many calls
    kb.save(kb.load("sample", limit=3).select_columns(["reward"]), "numbers.parquet")
    found = {
        options: run(*options)
        for options in [
            ("sample", "--column", "reward"),
            ("sample", "--column", "d", "--values", "low"),
            ("sample", "--column", "d", "--show", "nothing"),
            ("numbers.parquet", "--column", "d"),
        ]
    }
    assert {result.returncode for result in found.values()} == {2}
    said = [result.stderr for result in found.values()]
    assert ["--values 0-10" in said[0], "2 to 30" in said[1], "nothing" in said[2], "--show" in said[3]] == [True] * 4


def test_labels_need_the_columns_that_were_shown(tmp_path):
    """A dataset without them is refused before the first row, and so is a column that is there already."""
    path = tmp_path / "l.jsonl"
    with opened(path, LabelQuestion(column="reward", values=("a", "b"), shown=("elsewhere",))):
        pass
    with pytest.raises(SchemaError, match="elsewhere"):
        kb.apply(kb.load("sample", limit=1), kb.AddLabels(labels=path))
