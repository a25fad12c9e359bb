"""Charts as data: every row is in exactly one bin or bar, or counted as missing."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kbtools.figures import Bars, Histogram
from kbtools.report.charts import distribution, histogram, label_bars
from kbtools.report.columns import Numbers, label_column

NUMBERS = st.lists(st.floats(-1e12, 1e12, allow_subnormal=False), min_size=1, max_size=200)


@given(NUMBERS)
@example([1.0, 2.8e-286])
def test_every_number_is_in_one_bin(values):
    """Also the largest one, also far from zero."""
    chart = histogram(Numbers("x", np.array(values), whole=False))
    assert sum(chart.counts) == len(values)
    assert list(chart.edges) == sorted(set(chart.edges))
    assert len(chart.counts) <= 2 * 24 + 2


@pytest.mark.parametrize("values", [[1e12, 1e12 + 2e-4], [0.3, 0.3], [5e-324, 1.0], [-1e-300, 1e300], [7.0]])
def test_extreme_ranges_have_bins(values):
    """Where neighbouring numbers are further apart than a round step, or the range is all there is."""
    chart = histogram(Numbers("x", np.array(values), whole=False))
    assert sum(chart.counts) == len(values)


def test_figures_are_those_of_numpy():
    """Quartiles by linear interpolation."""
    values = np.random.default_rng(0).normal(5, 2, 1000)
    chart = histogram(Numbers("x", values, whole=False))
    assert chart.quartiles == pytest.approx(tuple(np.percentile(values, (25, 50, 75))))
    assert chart.mean == pytest.approx(values.mean())
    assert chart.ends == (values.min(), values.max())


def test_bins_of_whole_numbers_are_whole():
    """No bin between two neighbouring numbers."""
    chart = histogram(Numbers("n", np.arange(30.0), whole=True))
    assert all(edge == int(edge) for edge in chart.edges)


def test_wide_ranges_are_logarithmic():
    """From 1 to a million in equal factors."""
    chart = histogram(Numbers("ms", np.geomspace(1, 1e6, 500), whole=False))
    assert chart.log
    assert sum(chart.counts) == 500


def test_missing_and_infinite_are_counted_apart():
    """They are in no bin."""
    values = np.array([1.0, 2.0, 3.5, np.nan, np.inf])
    chart = histogram(Numbers("x", values, whole=False))
    assert (chart.n, chart.missing, chart.infinite) == (3, 1, 1)


def test_few_different_numbers_are_bars():
    """A reward of 0 or 1 has no distribution between them; the labels are exact."""
    chart = distribution(Numbers("reward", np.array([0.1 + 0.2, 1.0, 1.0, 0.1 + 0.2]), whole=False))
    assert isinstance(chart, Bars)
    assert chart.labels == ("0.30000000000000004", "1")
    assert chart.counts == (2, 2)


def test_different_numbers_are_a_histogram():
    """However few."""
    assert isinstance(distribution(Numbers("x", np.arange(5.0), whole=False)), Histogram)


def test_rare_labels_are_summed_up():
    """The most frequent ones are drawn, the others counted."""
    labels = [f"n{i % 30:02}" for i in range(100)]
    chart = label_bars(label_column("name", labels))
    assert (chart.n, len(chart.labels), chart.other) == (100, 12, 18)
    assert sum(chart.counts) + chart.other_rows == 100
    assert chart.counts[0] == 4


def test_names_that_all_differ_are_no_distribution():
    """A bar for each row says nothing."""
    assert distribution(label_column("name", [str(i) for i in range(50)])) is None
    assert distribution(label_column("name", [])) is None
    assert distribution(Numbers("x", np.array([np.nan]), whole=False)) is None
