"""Figures of the analysis stages: from the lineage, or measured now, or the reason why there are none."""

import datasets

from kbtools.lineage import Lineage, StageRecord
from kbtools.report import stage_figures
from kbtools.report.columns import label_column
from kbtools.report.stage_figures import from_lineage, measured
from tests.report.material import judged

NONE = {"plots": None, "resamples": 20}


def record(stage, facts):
    return StageRecord(stage=stage, distribution="kbtools", version="1", rows_in=9, rows_out=9, facts=facts)


def test_correlations_are_measured_on_the_rows():
    """By the stage of that name, as its users would get them."""
    found = measured(judged(), "correlate", stage_figures.Correlations, **NONE)
    assert found.origin == "measured on the rows of this report"
    assert next((pair.x, pair.y) for pair in found.figures.pairs) == ("difficulty", "style")
    assert len(found.figures.chart().estimates) == 3


def test_agreement_is_measured_on_the_rows():
    """Coefficients and a confusion table for each pair."""
    ds = judged().add_column("gold_difficulty", judged()["difficulty"][:])
    found = measured(ds, "agreement", stage_figures.Agreement, between=("difficulty", "gold_difficulty"), resamples=20)
    coefficients, confusion = found.figures.charts()
    assert coefficients.estimates[0].value == 1.0
    assert confusion.counts == ((40, 0, 0), (0, 40, 0), (0, 0, 40))


def test_lineage_comes_before_measuring():
    """What the last such stage recorded, with its place in the pipeline."""
    facts = measured(judged(), "correlate", stage_figures.Correlations, **NONE).figures
    lineage = Lineage(records=(record("correlate", {}), record("correlate", facts.model_dump(mode="json"))))
    found = from_lineage(lineage, "correlate", stage_figures.Correlations)
    assert found.figures.rows == 120
    assert found.origin == "measured by stage 2 (correlate) of the pipeline, on 9 rows"


def test_what_cannot_be_measured_says_why():
    """The stage's own words."""
    found = measured(datasets.Dataset.from_dict({"x": [1]}), "correlate", stage_figures.Correlations, **NONE)
    assert found.figures is None
    assert found.origin.startswith("not measured: correlations need two different columns")


def test_stage_that_is_not_installed_says_so():
    """A report needs no analysis packages."""
    found = measured(judged(3), "no-such-stage", stage_figures.Correlations)
    assert found.origin.startswith("not measured: ")


def test_figures_of_another_form_are_not_guessed():
    """A stage of the same name in somebody else's plugin."""
    found = from_lineage(Lineage(records=(record("correlate", {"r": 1}),)), "correlate", stage_figures.Correlations)
    assert found.figures is None
    assert "cannot show" in found.origin


def test_verdicts_on_one_scale_are_found_by_their_names():
    """`judge2_difficulty` beside `difficulty`; a column that shares no label is another scale."""
    base = label_column("difficulty", ["low", "high"])
    second = label_column("judge2_difficulty", ["low", "low", "high"])
    other = label_column("old_difficulty", ["7", "8"])
    assert stage_figures.verdict_columns([base, second, other]) == ("difficulty", "judge2_difficulty")
    assert stage_figures.verdict_columns([base, other]) == ()
