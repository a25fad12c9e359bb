"""Figures of stages: from the lineage, or measured now, or the reason why there are none."""

from collections.abc import Mapping
from typing import ClassVar

import datasets
import pytest
from pydantic import BaseModel, JsonValue

import kbtools as kb
from kbtools.figures import Bars, Histogram, Matrix, Section, Table
from kbtools.lineage import Lineage, StageRecord
from kbtools.plugins import registry
from kbtools.report import stage_figures
from kbtools.report.columns import label_column
from kbtools.report.stage_figures import measured, recorded
from tests.report.material import judged, report_file

NONE = {"plots": None, "resamples": 20}


def record(stage, facts):
    return StageRecord(stage=stage, distribution="kbtools", version="1", rows_in=9, rows_out=9, facts=facts)


def test_correlations_are_measured_on_the_rows():
    """By the stage of that name, as its users would get them."""
    found = measured(judged(), "correlate", **NONE)
    assert found.origin == "measured on the rows of this report"
    assert found.section.title == "Correlations"
    (chart,) = found.section.charts
    assert chart.estimates[0].label == "difficulty, style"
    assert len(chart.estimates) == 3


def test_agreement_is_measured_on_the_rows():
    """Coefficients and a confusion table for each pair."""
    ds = judged().add_column("gold_difficulty", judged()["difficulty"][:])
    found = measured(ds, "agreement", between=("difficulty", "gold_difficulty"), resamples=20)
    coefficients, confusion = found.section.charts
    assert coefficients.estimates[0].value == 1.0
    assert confusion.counts == ((40, 0, 0), (0, 40, 0), (0, 0, 40))


def test_lineage_comes_before_measuring():
    """What the last such stage recorded, with its place in the pipeline."""
    facts = kb.Correlate(**NONE).run(judged()).facts
    lineage = Lineage(records=(record("correlate", {}), record("correlate", facts)))
    (found,) = recorded(lineage, ())
    assert found.section == kb.Correlate.figures(facts)
    assert found.origin == "measured by stage 2 (correlate) of the pipeline, on 9 rows"


def test_what_cannot_be_measured_says_why():
    """The stage's own words."""
    found = measured(datasets.Dataset.from_dict({"x": [1]}), "correlate", **NONE)
    assert found.section is None
    assert found.origin.startswith("not measured: correlations need two different columns")


def test_stage_that_is_not_installed_says_so():
    """A report needs no analysis packages."""
    found = measured(judged(3), "no-such-stage")
    assert found.origin.startswith("not measured: ")


def test_figures_of_another_form_are_not_guessed():
    """Facts that another version of the stage has recorded."""
    (found,) = recorded(Lineage(records=(record("correlate", {"r": 1}),)), ())
    assert found.section is None
    assert "cannot show" in found.origin


class Facts(BaseModel):
    """What the stage below finds."""

    words: dict[str, int]


class Words(kb.Stage):
    """Count the words of a column."""

    name: ClassVar[str] = "acme-words"
    scope: ClassVar[kb.stage.Scope] = "split"

    text: str = "text"
    """The column."""

    def only_reads(self) -> bool:
        return True

    def transform(self, ds):
        words = [word for text in ds[self.text] for word in text.split()]
        return kb.Result(ds, facts=Facts(words={word: words.count(word) for word in words}).model_dump())

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> Section | None:
        words = Facts.model_validate(facts).words
        rows = tuple((word, str(count)) for word, count in words.items())
        bars = Bars("most frequent", tuple(words), tuple(words.values()), n=sum(words.values()), missing=0)
        return Section("Words <b>", ("Counted by Acme.",), (bars,), (Table("words", ("word", "count"), rows),))


@pytest.fixture
def acme(monkeypatch):
    """The stage as a plugin offers it."""
    known = registry()
    stages = known.offers("stage") | {"acme-words": kb.Offer("acme-words", "", Words)}
    monkeypatch.setattr(type(known), "offers", lambda self, kind: stages)


@pytest.mark.usefixtures("acme")
def test_anybodys_analysis_is_in_the_report(tmp_path):
    """Its heading, sentences, charts and tables, from what it recorded; its texts are not markup."""
    done = kb.apply(datasets.Dataset.from_dict({"text": ["tl load tl", "tl"]}), Words())
    text = report_file(done, tmp_path, kb.lineage.of(done)).read_text()
    section = text.partition('<section id="stage-acme-words"')[2].partition("</section>")[0]
    assert "Words &lt;b&gt;" in section
    assert "Counted by Acme." in section
    assert "<title>tl: 3 of 4 rows</title>" in section
    assert '<th scope="row"><bdi>load</bdi></th><td class="number"><bdi>1</bdi></td>' in " ".join(section.split())


@pytest.mark.usefixtures("acme")
def test_figures_of_splits_stand_side_by_side():
    """A stage that was run split by split has a chart and a table for each."""
    splits = datasets.DatasetDict({name: datasets.Dataset.from_dict({"text": [name]}) for name in ("train", "test")})
    lineage = kb.lineage.of(kb.apply(splits, Words()))
    (found,) = recorded(lineage, splits)
    assert [chart.title for chart in found.section.charts] == ["train: most frequent", "test: most frequent"]
    assert [table.rows for table in found.section.tables] == [(("train", "1"),), (("test", "1"),)]


@pytest.mark.usefixtures("acme")
def test_a_stage_that_fails_to_show_its_figures_does_not_end_the_report(monkeypatch):
    """Whatever its code does: the reason is on the page."""
    monkeypatch.setattr(Words, "figures", classmethod(lambda cls, facts: facts["nothing"]))
    (found,) = recorded(Lineage(records=(record("acme-words", {"words": {}}),)), ())
    assert found.section is None
    assert "KeyError: 'nothing'" in found.origin


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Table("t", ("a", "b"), (("1",),)),
        lambda: Table("t", ("a",), (("1",),), about=(1, 2)),
        lambda: Histogram("t", "", (0.0, 1.0), (), n=0, missing=0, mean=0, quartiles=(0, 0, 0), ends=(0, 0)),
        lambda: Histogram("t", "", (0.0, 1.0), (0,), n=0, missing=0, mean=0, quartiles=(0, 0, 0), ends=(0, 0)),
        lambda: Bars("t", (), (), n=0, missing=0),
        lambda: Matrix("t", "a", "b", ("x", "y"), ((1,), (1, 2))),
    ],
)
def test_what_cannot_be_drawn_is_refused_where_it_is_made(wrong):
    """In the stage's own tests, rather than in somebody's report."""
    with pytest.raises(ValueError, match="'t'"):
        wrong()


def test_verdicts_on_one_scale_are_found_by_their_names():
    """`judge2_difficulty` beside `difficulty`; a column that shares no label is another scale."""
    base = label_column("difficulty", ["low", "high"])
    second = label_column("judge2_difficulty", ["low", "low", "high"])
    other = label_column("old_difficulty", ["7", "8"])
    assert stage_figures.verdict_columns([base, second, other]) == ("difficulty", "judge2_difficulty")
    assert stage_figures.verdict_columns([base, other]) == ()
