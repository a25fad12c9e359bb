"""What a notebook shows of chains, results and lineages: tables, escaped, in the colours of the page around them."""

import re
from html.parser import HTMLParser

import datasets
import pytest

import kbtools as kb
from kbtools.figures import notebook
from kbtools.lineage import Lineage, StageRecord
from kbtools.pipeline import run
from tests.report.browser import chromium
from tests.report.material import ATTACKS, hostile_lineage

SAFE = {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """The cells of the tables of a page, row by row, its sentences, and every element."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.sentences, self.elements, self.open = [], [], [], []
        self.feed(html)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "p":
            self.sentences.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "p":
            self.sentences[-1] += data
        else:
            self.rows[-1][-1] += data


def shown(what):
    return Page(what._repr_html_())


def test_a_chain_is_a_table_of_its_stages():
    """Each with what it was told, as one writes it in Python; a single stage is a chain of one."""
    first = kb.Filter(where="reward > 0.85")
    assert shown(first | kb.Dedup(key=("code",)) | kb.StripReasoning()).rows == [
        ["", "stage", "settings"],
        ["1", "filter", "where='reward > 0.85'"],
        ["2", "dedup", "key=['code']"],
        ["3", "strip-reasoning", ""],
    ]
    assert shown(first).rows[1:] == [["1", "filter", "where='reward > 0.85'"]]


def test_a_judge_is_shown_by_what_it_was_told():
    """Which judge, and with which settings."""
    assert shown(kb.Judge(judge="static")).rows[1:] == [["1", "judge", "judge='static'"]]


def test_a_result_shows_rows_reasons_notes_and_figures():
    """Kept, dropped by reason, failed by kind; then what the stage measured."""
    found = shown(kb.Filter(where="reward > 0.85").run(kb.load("sample")))
    assert found.rows[:3] == [["", "rows"], ["rows", "96"], ["dropped: not reward > 0.85", "74"]]
    measured = shown(kb.Stats().run(kb.load("sample", limit=20)))
    assert measured.sentences
    assert len(measured.rows) > 3


def test_a_result_of_splits_shows_each():
    """Train and validation, a line each."""
    found = shown(kb.Split(leakage=False).run(kb.load("sample")))
    assert [row[0] for row in found.rows[1:3]] == ["train", "validation"]


def test_a_lineage_shows_what_came_of_each_stage():
    """Rows in and out, why rows are gone, where they came from; the run of a chain shows the same."""
    chain = [kb.Filter(where="reward > 0.85"), kb.Sample(first=5)]
    done = run(kb.load("sample"), chain)
    found = shown(kb.lineage.of(done.dataset))
    assert found.sentences[0] == "source: sample"
    assert found.rows == [
        ["", "stage", "settings", "rows in", "rows out", "why"],
        ["1", "filter", "where='reward > 0.85'", "170", "96", "74 not reward > 0.85"],
        ["2", "sample", "first=5", "96", "5", "91 not in the sample"],
    ]
    assert shown(done).rows == found.rows


def test_a_recipe_and_an_empty_lineage_can_be_looked_at():
    """Stages without records, and no stages at all."""
    chain = kb.Filter(where="reward > 0.85")
    recipe = kb.Recipe(stages=({"stage": "filter", **chain.config()},))
    assert shown(recipe).rows[1:] == [["1", "filter", "where='reward > 0.85'"]]
    assert shown(Lineage()).sentences == ["no stage is recorded"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_texts_of_datasets_are_text(attack):
    """Whatever a dataset, a plugin or a stage's words hold: no element, no attribute, no hidden character."""
    result = kb.Result(datasets.Dataset.from_dict({"a": [1]}), notes=(attack,))
    for html in (
        hostile_lineage()._repr_html_(),
        result._repr_html_(),
        kb.Filter(where=f"name == {attack!r}")._repr_html_(),
        notebook.page(attack, kb.Table(attack, (attack,), ((attack,),))),
    ):
        found = Page(html)
        assert {tag for tag, _ in found.elements} <= SAFE
        assert all(set(attributes) <= {"style"} for _, attributes in found.elements)
        assert not {"\u202e", "\x00", "\x1b"} & set(html)


def test_colours_are_those_of_the_page():
    """A dark notebook stays dark: no colour of ours, and nothing that reaches beyond the element."""
    html = kb.Filter(where="reward > 0.85")._repr_html_()
    assert not re.search(r"rgb\(|(?<!&)#[0-9a-f]{3}", html)
    assert "<style" not in html
    assert "color: inherit" in html


def test_a_long_table_says_what_it_leaves_out():
    """A notebook is no place for a million lines."""
    html = notebook.page(kb.Table("t", ("n",), tuple((str(n),) for n in range(1_200))))
    assert "and 1,000 more" in html
    assert len(Page(html).rows) == 201


@pytest.mark.slow
@pytest.mark.process
def test_a_browser_shows_it_light_and_dark(tmp_path):
    """In Chromium: text and lines take the colour of the page around them, and nothing runs."""
    record = StageRecord(stage="filter", distribution="k", version="1", rows_in=9, rows_out=3, dropped={ATTACKS[0]: 6})
    html = Lineage(records=(record,), stages=({"stage": "filter"},))._repr_html_()
    file = tmp_path / "page.html"
    file.write_text(f'<!doctype html><meta charset="utf-8"><title>t</title><body style="color: rgb(1, 2, 3)">{html}')
    with chromium(tmp_path / "profile") as browser:
        browser.driver.get(file.as_uri())
        assert browser.js("return document.title") == "t"
        assert browser.js("return getComputedStyle(document.querySelector('td')).color") == "rgb(1, 2, 3)"
        assert ATTACKS[0] in browser.texts("td")[-1]
