"""Stage agreement: coefficients against scikit-learn, krippendorff and their definitions, and what has no value."""

from __future__ import annotations

from pathlib import Path

import datasets
import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.errors import RowError, SchemaError, UsageError
from kbtools.pipeline import run
from kbtools.testing import check_stage
from kbtools_plugins.analysis import coefficients
from kbtools_plugins.analysis.ratings import _coincidences
from kbtools_plugins.analysis.resampling import Modules
from tests.rows import made

LABELS = ("low", "medium", "high")
QUICK = {"resamples": 30}


def judged(*columns: list[str | None], **more: list) -> datasets.Dataset:
    """Rows with these verdicts in columns a, b, c."""
    named = dict(zip("abc", columns, strict=False))
    text = datasets.Value("string")
    ds = made(named, datasets.Features(dict.fromkeys(named, text)))
    for name, values in more.items():
        ds = ds.add_column(name, values)
    return ds


def whole(ds: datasets.Dataset, *between: str, **fields) -> dict:
    """The figures over all rows."""
    return kb.Agreement(between=between or ("a", "b"), **{**QUICK, **fields}).run(ds).facts["whole"]


def slow_kappa(a: list[int], b: list[int], size: int, *, weighted: bool) -> float | None:
    """Cohen's kappa by its definition."""
    n = len(a)
    cost = [[(i - j) ** 2 if weighted else float(i != j) for j in range(size)] for i in range(size)]
    seen = sum(cost[i][j] for i, j in zip(a, b, strict=True)) / n
    chance = sum(cost[i][j] * a.count(i) * b.count(j) for i in range(size) for j in range(size)) / n**2
    return 1 - seen / chance if chance else None


RATINGS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


@given(RATINGS, st.booleans())
@settings(deadline=None, max_examples=60)
def test_kappa_and_percent_agree_with_their_definitions(pairs, weighted):
    """Quadratic weights over low < medium < high, no weights for mere names."""
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    level = "ordinal" if weighted else "nominal"
    ds = judged([LABELS[n] for n in a], [LABELS[n] for n in b])
    (found,) = whole(ds, level=level, labels=LABELS, resamples=0)["pairs"]
    expected = slow_kappa(a, b, 3, weighted=weighted)
    assert found["agreement"]["value"] == pytest.approx(sum(x == y for x, y in pairs) / len(pairs))
    if expected is None:
        assert found["kappa"]["value"] is None
        assert found["kappa"]["undefined"]
    else:
        assert found["kappa"]["value"] == pytest.approx(expected)
    assert found["confusion"] == [[sum(p == (i, j) for p in pairs) for j in range(3)] for i in range(3)]


def test_labels_are_weighed_by_meaning_and_not_by_the_alphabet():
    """high is two steps from low, which the alphabet puts side by side."""
    a = ["low"] * 4 + ["medium"] * 4 + ["high"] * 4
    b = ["low"] * 3 + ["medium"] + ["medium"] * 3 + ["low"] + ["high"] * 3 + ["medium"]
    (found,) = whole(judged(a, b))["pairs"]
    codes = [[LABELS.index(label) for label in column] for column in (a, b)]
    assert found["kappa"]["value"] == pytest.approx(slow_kappa(*codes, 3, weighted=True))
    alphabet = [[sorted(LABELS).index(label) for label in column] for column in (a, b)]
    assert found["kappa"]["value"] != pytest.approx(slow_kappa(*alphabet, 3, weighted=True))


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, None]), min_size=3, max_size=3), min_size=1, max_size=30))
@settings(deadline=None, max_examples=60)
def test_alpha_is_that_of_krippendorff_over_all_columns(rows):
    """Missing verdicts stay missing, at every level of measurement."""
    columns = [[None if row[n] is None else LABELS[row[n]] for row in rows] for n in range(3)]
    data = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=float).T
    rated = (~np.isnan(data)).sum(axis=0) > 1
    ds = judged(*columns)
    for level in ("ordinal", "nominal", "interval"):
        found = whole(ds, "a", "b", "c", level=level, labels=LABELS, resamples=0)
        assert found["rated"] == rated.sum()
        if len(np.unique(data[:, rated][~np.isnan(data[:, rated])])) < 2:
            assert found["alpha"]["value"] is None
            assert found["alpha"]["undefined"]
        else:
            expected = krippendorff.alpha(reliability_data=data, value_domain=[0, 1, 2], level_of_measurement=level)
            assert found["alpha"]["value"] == pytest.approx(float(expected))


@given(RATINGS, st.booleans())
@settings(deadline=None, max_examples=60)
def test_samples_go_through_the_same_kappa(pairs, weighted):
    """What the intervals are made of is what is reported."""
    level = "ordinal" if weighted else "nominal"
    table = np.zeros((3, 3))
    np.add.at(table, tuple(np.array(pairs).T), 1)
    expected = slow_kappa([a for a, _ in pairs], [b for _, b in pairs], 3, weighted=weighted)
    found = coefficients.kappa(table, coefficients.weights(3, level))
    assert np.isnan(found) if expected is None else found == pytest.approx(expected)


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, -1]), min_size=3, max_size=3), min_size=2, max_size=30), st.data())
@settings(deadline=None, max_examples=60)
def test_samples_go_through_the_same_alpha(rows, data):
    """A module that is drawn twice counts as if its rows stood there twice."""
    positions = np.array(rows)
    positions = positions[(positions >= 0).sum(axis=1) > 1]
    modules = Modules.of(np.arange(len(positions)) // 2)
    drawn = np.array(data.draw(st.lists(st.integers(0, 3), min_size=modules.count, max_size=modules.count)), dtype=int)
    sample = np.repeat(positions, drawn[modules.members], axis=0) if len(positions) else positions
    if len(np.unique(sample[sample >= 0])) < 2:
        return
    counts = np.stack([(sample == value).sum(axis=1) for value in range(3)], axis=1)
    table = _coincidences(positions, 3, modules)(drawn).reshape(3, 3)
    for level in ("ordinal", "nominal", "interval"):
        expected = krippendorff.alpha(value_counts=counts, value_domain=[0, 1, 2], level_of_measurement=level)
        assert coefficients.alpha(table, np.arange(3.0), level) == pytest.approx(float(expected))


def test_numbers_keep_their_distances():
    """Scores that nobody gave still lie between those that were given."""
    ds = datasets.Dataset.from_dict({"a": [0, 5, 10, 10, 0], "b": [0, 5, 5, 10, 5]})
    (found,) = whole(ds)["pairs"]
    assert found["kappa"]["value"] == pytest.approx(slow_kappa([0, 5, 10, 10, 0], [0, 5, 5, 10, 5], 11, weighted=True))


def test_uneven_numbers_have_an_alpha_but_no_kappa():
    """Kappa weighs by position, which says nothing of 0.5, 0.9 and 4."""
    found = whole(datasets.Dataset.from_dict({"a": [0.5, 0.9, 4.0], "b": [0.5, 4.0, 4.0]}), level="interval")
    assert "not evenly spaced" in found["pairs"][0]["kappa"]["undefined"]
    assert found["alpha"]["value"] is not None


def test_truth_values():
    """Verdicts may be true and false."""
    (found,) = whole(datasets.Dataset.from_dict({"a": [True, False, True], "b": [True, False, False]}))["pairs"]
    assert found["confusion"] == [[1, 0], [1, 1]]


@pytest.mark.parametrize("value", ["low", None])
def test_constant_and_null_verdicts_are_undefined(value):
    """No variation, no coefficient, and a reason instead of NaN or a traceback."""
    result = kb.Agreement(between=("a", "b"), plots="plots", **QUICK).run(judged([value] * 5, [value] * 5))
    (found,) = result.facts["whole"]["pairs"]
    assert found["kappa"]["undefined"]
    assert result.facts["whole"]["alpha"]["undefined"]
    assert "NaN" not in Path("plots/agreement.json").read_text()


def test_no_rows_and_one_row():
    """Nothing to compare is not a failure."""
    assert whole(judged([], []))["pairs"][0]["agreement"]["undefined"] == "no row has both columns"
    assert whole(judged(["low"], ["high"]))["pairs"][0]["agreement"]["value"] == 0


def test_intervals_hold_the_truth_and_know_modules():
    """Rows of one module are not independent evidence: the interval is wider when modules are known."""
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 3, 60).repeat(5)
    right = (rng.random(60) < 0.7).repeat(5)
    other = np.where(right, gold, (gold + 1) % 3)
    columns = [[LABELS[n] for n in values] for values in (gold, other)]
    names = [f"M{n}" for n in np.arange(60).repeat(5)]
    widths = {}
    for how, ds in (("rows", judged(*columns)), ("modules", judged(*columns, module_name=names))):
        found = whole(ds, resamples=300)["pairs"][0]["agreement"]
        widths[how] = found["high"] - found["low"]
        assert found["low"] < 0.7 < found["high"] or how == "rows"
    assert widths["modules"] > 1.8 * widths["rows"]


def test_rows_that_differ_most_are_named():
    """The widest first, the first of equals first, and none that agree."""
    ds = judged(["low", "low", "high", "low"], ["low", "medium", "low", "high"], example_id=[10, 11, 12, 13])
    found = kb.Agreement(between=("a", "b"), **QUICK).run(ds).facts["differences"]
    assert [(d["row"], d["spread"]) for d in found] == [
        ("row 2 (example_id 12)", 2),
        ("row 3 (example_id 13)", 2),
        ("row 1 (example_id 11)", 1),
    ]
    assert found[0]["values"] == {"a": "high", "b": "low"}


def test_names_differ_by_how_many_there_are():
    """For nominal verdicts a row differs more the more different verdicts it has."""
    ds = judged(["x", "x", "x"], ["x", "y", "y"], ["x", "y", "z"])
    found = kb.Agreement(between=("a", "b", "c"), level="nominal", **QUICK).run(ds).facts["differences"]
    assert [(d["index"], d["spread"]) for d in found] == [(2, 2), (1, 1)]


def test_groups_are_compared_each_alone():
    """By kind: one group agrees, the other does not, and rows without a kind are a group of their own."""
    ds = judged(
        ["low", "high"] * 3, ["low", "high", "high", "low", "low", "high"], kind=["x", "x", "y", "y", None, None]
    )
    groups = kb.Agreement(between=("a", "b"), by="kind", **QUICK).run(ds).facts["groups"]
    assert {g["group"]: g["pairs"][0]["agreement"]["value"] for g in groups} == {"None": 1, "x": 1, "y": 0}


def test_labels_that_are_no_verdict():
    """unparsable is not a point on the scale: it counts as missing, and the run says so."""
    result = kb.Agreement(between=("a", "b"), **QUICK).run(judged(["low", "unparsable"], ["low", "high"]))
    assert result.facts["whole"]["pairs"][0]["n"] == 1
    assert "count as missing: a in 1 row" in result.notes[0]


@pytest.mark.parametrize(
    ("ds", "fields", "error", "says"),
    [
        (judged(["low"], ["grand"]), {}, RowError, "'grand'"),
        (judged(["low"], ["low"], n=[1]), {"between": ("a", "n")}, SchemaError, "different kinds"),
        (judged(["low"], ["low"]), {"between": ("a", "a")}, UsageError, "twice"),
        (judged(["low"], ["low"]), {"between": ("a", "z")}, SchemaError, "no column 'z'"),
        (judged(["low"] * 120, ["low"] * 120, id=list(range(120))), {"by": "id"}, UsageError, "too many groups"),
        (
            datasets.Dataset.from_dict({"a": [n / 7 for n in range(300)], "b": [n / 9 for n in range(300)]}),
            {},
            UsageError,
            "correlate",
        ),
    ],
)
def test_what_cannot_be_compared(ds, fields, error, says):
    """Each has its own message."""
    with pytest.raises(error, match=says):
        kb.Agreement(**{"between": ("a", "b"), **QUICK, **fields}).run(ds)


def test_one_column_is_not_enough():
    """Agreement needs two."""
    with pytest.raises(UsageError, match="at least 2"):
        kb.Agreement(between=("a",))


def test_contract_files_and_tables():
    """The stage keeps the contract, draws, and shows coefficients, confusion and differences."""
    ds = judged(["low", "medium", "high"] * 5, ["low", "high", "high"] * 5, ["medium", "high", "low"] * 5)
    check_stage(kb.Agreement(between=("a", "b", "c"), **QUICK), ds)
    kb.Agreement(between=("a", "b", "c"), plots="plots", **QUICK).run(ds)
    assert {path.name for path in Path("plots").iterdir()} == {
        f"agreement.{ending}" for ending in ("png", "svg", "json")
    }
    titles = [table.title for table in run(ds, [kb.Agreement(between=("a", "b"), **QUICK)]).tables]
    assert titles[0].startswith("agreement on low < medium < high")
    assert titles[1:] == ["a (down) by b (across), 15 rows", "rows that differ most"]
