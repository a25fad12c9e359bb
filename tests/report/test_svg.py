"""Charts as SVG: well-formed, named, and never a place for markup."""

from xml.etree import ElementTree

import numpy as np
import pytest

from kbtools.figures import Bars, Estimate, Intervals, Matrix
from kbtools.report import svg
from kbtools.report.charts import histogram
from kbtools.report.columns import Numbers
from tests.report.material import ATTACKS

CHARTS = [
    histogram(Numbers("x", np.random.default_rng(0).normal(0, 1, 200), whole=False), title="T"),
    histogram(Numbers("x", np.geomspace(1, 1e5, 50), whole=False), title="T"),
    Bars("T", ("low", "", "high"), (3, 0, 5), 8, 1, path="a.b"),
    Intervals("T", "rho", (Estimate("a, b", 9, 0.5, 0.2, 0.7), Estimate("a, c", 9, undefined="constant"))),
    Matrix("T", "a", "b", ("low", "high"), ((1, 2), (0, 0))),
]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: type(chart).__name__)
def test_is_well_formed_and_named(chart):
    """A reader who cannot see it hears its title and its figures."""
    root = ElementTree.fromstring(svg.draw(chart))
    assert root.attrib["role"] == "img"
    assert root.findtext("title") == "T"
    assert root.findtext("desc") == svg.describe(chart)


@pytest.mark.parametrize("attack", ATTACKS)
def test_texts_of_a_dataset_are_escaped(attack):
    """Labels, columns and titles."""
    for chart in (
        Bars(attack, (attack, "b"), (1, 2), 3, 0, path=attack),
        Matrix(attack, attack, attack, (attack,), ((1,),)),
        Intervals(attack, attack, (Estimate(attack, 1, undefined=attack),)),
    ):
        drawn = ElementTree.fromstring(svg.draw(chart))
        assert {element.tag for element in drawn.iter()} <= {"svg", "title", "desc", "g", "a", "text", "rect", "line"}
        assert all(link.attrib["href"].startswith("#rows?f.") for link in drawn.iter("a"))


def test_bars_link_to_the_rows_of_their_label():
    """The address is what the page's filters read."""
    drawn = svg.draw(Bars("T", ("a&b=c",), (1,), 1, 0, path="info.name"))
    assert 'href="#rows?f.info.name=%3Da%26b%3Dc"' in drawn


def test_description_counts_what_is_not_drawn():
    """Nothing is left out silently."""
    values = np.array([1.0, 2.5, 4.0, np.nan, np.inf])
    assert svg.describe(histogram(Numbers("x", values, whole=False))).endswith("1 without a value, 1 infinite")
    assert "3 more values in 7 rows" in svg.describe(Bars("T", ("a",), (1,), 8, 0, other=3, other_rows=7))
