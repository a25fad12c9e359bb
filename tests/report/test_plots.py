"""The figures for a paper: one PNG and one SVG each, none of them overwritten by another."""

from pathlib import Path

from kbtools.figures import Bars, Estimate, Intervals, Matrix
from kbtools.report.charts import Funnel, StageStep, histogram
from kbtools.report.columns import Numbers
from kbtools.report.plots import save
from tests.report.material import ATTACKS


def test_every_kind_of_chart_is_drawn(tmp_path):
    """Also those whose labels attack, or look like formulas."""
    import numpy as np

    charts = [
        histogram(Numbers("x", np.geomspace(1, 1e5, 50), whole=False)),
        Bars("$bars$", ATTACKS, tuple(range(len(ATTACKS))), 28, 2),
        Intervals("T", "rho", (Estimate("a", 9, 0.5, 0.2, 0.7), Estimate("b", 9, undefined="constant"))),
        Matrix("T", "a", "b", ("low", "high"), ((1, 2), (0, 0))),
        Funnel("Rows", (StageStep("filter", 10, 4), StageStep("judge", 4, 4))),
    ]
    files = save({"all": charts}, tmp_path)
    assert len({*files}) == 10
    assert all(Path(file).stat().st_size > 1_000 for file in files)


def test_titles_that_differ_only_in_signs_get_numbers(tmp_path):
    """No figure replaces another."""
    bars = [Bars(title, ("a",), (1,), 1, 0) for title in ("a.b", "a_b", "a b")]
    names = {Path(file).name for file in save({"d": bars}, tmp_path)}
    assert names == {f"d-a-b{number}.{ending}" for number in ("", "-2", "-3") for ending in ("png", "svg")}
