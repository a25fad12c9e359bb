"""Who watches a run hears of every row once, and from Python there is one bar for each stage."""

import re
from typing import ClassVar

import datasets
import pytest

import kbtools as kb
from kbtools.data.table import batches
from kbtools.pipeline import ProgressBars, observers
from tests.rows import evals


class ReadsTwice(kb.Stage):
    """Read all rows two times."""

    name: ClassVar[str] = "reads-twice"
    scope: ClassVar = "row"

    def transform(self, ds):
        """Read, change nothing."""
        for _ in range(2):
            assert sum(table.num_rows for table in batches(ds, ["reward"], rows=2)) == ds.num_rows
        return kb.Result(ds)


class Counting(ProgressBars):
    """An observer that remembers what it was told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def advanced(self, rows):
        """Remember."""
        self.told.append(rows)


def test_progress_ends_at_the_number_of_rows():
    """A stage that reads its rows twice has not worked through twice as many."""
    observer = Counting()
    kb.apply(evals([1.0] * 5), ReadsTwice(), observer=observer)
    assert observer.told == [2, 2, 1]


@pytest.fixture
def eager(monkeypatch):
    """Bars that appear at once."""
    monkeypatch.setattr(observers, "SECONDS_UNTIL_SEEN", 0.0)


def test_one_bar_for_each_stage(capfd, eager):
    """Named as the stage, and none for the maps within it."""
    kb.apply(evals([1.0] * 5), ReadsTwice(), kb.Judge(judge="static"))
    shown = capfd.readouterr().err
    assert "reads-twice: 100%" in shown
    assert "judge: 100%" in shown
    assert "Map" not in shown


def test_a_bar_that_counts_calls_counts_nothing_else(capfd, eager, model_server):
    """The rows into which the replies are written afterwards are not further requests."""
    _, model = model_server()
    kb.apply(evals([1.0] * 5), kb.Judge(model=model))
    shown = capfd.readouterr().err
    assert "5/5" in shown
    assert not re.search(r"(?<![\d.])10 requests(?!/s)", shown)  # a rate of 49.10 requests/s is none


def test_bars_are_turned_off_where_those_of_datasets_are(capfd, eager):
    """One switch for both, and it stays as it was."""
    datasets.disable_progress_bars()
    try:
        kb.apply(evals([1.0] * 5), ReadsTwice())
        assert datasets.are_progress_bars_disabled()
    finally:
        datasets.enable_progress_bars()
    kb.apply(evals([1.0] * 5), kb.Filter(where="reward > 0"))
    assert not datasets.are_progress_bars_disabled()
    assert "reads-twice" not in capfd.readouterr().err


def test_a_bar_is_closed_when_its_stage_fails(capfd, eager):
    """The error does not stand behind half a line of progress."""
    with pytest.raises(kb.errors.RowError):
        kb.apply(evals([1.0, None]), kb.Filter(where="reward > 0"))
    assert capfd.readouterr().err.endswith("\n")
