"""Stage correlate: coefficients against scipy and known truths, intervals that hold, and what has no value."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.errors import RowError, SchemaError
from kbtools.pipeline import run
from kbtools.testing import check_stage
from kbtools_plugins.analysis import correlation
from kbtools_plugins.analysis.correlation import METHODS, correlate, kendall_of_samples, spearman_of_samples
from kbtools_plugins.analysis.resampling import Modules
from kbtools_plugins.analysis.scales import Scale
from tests.rows import evals

QUICK = {"resamples": 50, "plots": None}


def rated(rows: int = 300, seed: int = 0) -> datasets.Dataset:
    """Rows whose difficulty, style and reward correlate in a known way."""
    rng = np.random.default_rng(seed)
    truth = [[1, -0.5, 0.3], [-0.5, 1, 0], [0.3, 0, 1]]
    z = rng.multivariate_normal([0, 0, 0], truth, rows)
    return datasets.Dataset.from_dict(
        {
            "example_id": list(range(rows)),
            "module_name": [f"M{n}" for n in rng.integers(0, rows // 3, rows)],
            "difficulty": [("low", "medium", "high")[n] for n in np.digitize(z[:, 0], [-0.5, 0.5])],
            "style": np.clip(np.round(5 + 2 * z[:, 1]), 0, 10).astype(int).tolist(),
            "reward": z[:, 2].tolist(),
        }
    )


def pairs(result: kb.Result) -> dict[tuple[str, str], dict]:
    return {(pair["x"], pair["y"]): pair for pair in result.facts["pairs"]}


def scale(name: str, values: list[float]) -> Scale:
    return Scale(name, np.array(values, dtype=np.float64), "numeric")


def test_samples_are_ranked_as_scipy_ranks_them():
    """A module that is drawn twice counts as if its rows stood there twice."""
    from scipy import stats

    rng = np.random.default_rng(5)
    a, b, groups = rng.integers(0, 4, 60).astype(float), np.round(rng.normal(size=60), 1), rng.integers(0, 15, 60)
    modules = Modules.of(groups)
    for _ in range(5):
        drawn = rng.integers(0, 4, modules.count)
        rows = np.repeat(np.arange(60), drawn[modules.members])
        assert spearman_of_samples(a, b, modules)(drawn) == pytest.approx(stats.spearmanr(a[rows], b[rows]).statistic)
        for x, y in ((a, b), (b, a), (b, b**3)):
            statistic, cost = kendall_of_samples(x, y, modules)
            assert (cost == 600) == (x is not a and y is not a)  # sorted
            assert statistic(drawn) == pytest.approx(stats.kendalltau(x[rows], y[rows]).statistic)


def test_many_rows_get_fewer_samples_aloud(monkeypatch):
    """Sorting is slow: the run says how many samples there were."""
    monkeypatch.setattr(correlation, "_WORK", 50_000)
    monkeypatch.setattr(correlation, "_FEWEST", 2)
    ds = rated().add_column("speed", np.random.default_rng(1).normal(size=300).tolist())
    result = kb.Correlate(between=("difficulty", "reward", "speed"), **QUICK).run(ds)
    samples = {names: pair["kendall"]["resamples"] for names, pair in pairs(result).items()}
    assert samples == {("difficulty", "reward"): 50, ("difficulty", "speed"): 50, ("reward", "speed"): 16}
    assert {pair["spearman"]["resamples"] for pair in pairs(result).values()} == {50}
    assert any("come from 16 of them instead of 50" in note for note in result.notes)


def test_an_interval_has_a_hundred_samples_however_long_they_take(monkeypatch):
    """Fewer would say nothing; where there is time, as many as were asked for."""
    columns, rows = [scale("a", range(30)), scale("b", range(30))], np.arange(30)
    assert correlate(columns, rows, resamples=150).pairs[0].spearman.resamples == 150
    monkeypatch.setattr(correlation, "_WORK", 1)
    assert correlate(columns, rows, resamples=150).pairs[0].spearman.resamples == 100


def test_coefficients_are_those_of_scipy():
    """Ordinal labels count as 0, 1, 2, and every coefficient is scipy's on the whole columns."""
    from scipy import stats

    ds = rated()
    found = pairs(kb.Correlate(**QUICK).run(ds))
    columns = {"style": ds["style"][:], "reward": ds["reward"][:]}
    columns["difficulty"] = [("low", "medium", "high").index(label) for label in ds["difficulty"]]
    assert set(found) == {("difficulty", "style"), ("difficulty", "reward"), ("style", "reward")}
    for (x, y), pair in found.items():
        a, b = columns[x], columns[y]
        expected = {
            "spearman": stats.spearmanr(a, b),
            "kendall": stats.kendalltau(a, b),
            "pearson": stats.pearsonr(a, b),
        }
        for method in METHODS:
            assert pair[method]["value"] == pytest.approx(expected[method].statistic, abs=1e-12)
        interval = expected["pearson"].confidence_interval()
        assert [pair["pearson"]["low"], pair["pearson"]["high"]] == pytest.approx([interval.low, interval.high])


@given(st.lists(st.tuples(st.integers(-3, 3), st.floats(-5, 5)), min_size=3, max_size=60), st.randoms())
@settings(deadline=None, max_examples=60)
def test_missing_values_leave_the_pair_they_belong_to(points, random):
    """n counts the rows that have both columns, and the coefficient is scipy's on these rows."""
    from scipy import stats

    holes = [(x if random.random() > 0.2 else np.nan, y if random.random() > 0.2 else np.nan) for x, y in points]
    a, b = np.array(holes).T
    pair = correlate([scale("a", a), scale("b", b)], np.arange(len(a)), resamples=0).pairs[0]
    both = ~np.isnan(a) & ~np.isnan(b)
    assert pair.n == both.sum()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = stats.spearmanr(a[both], b[both]).statistic if both.sum() > 2 else np.nan
    assert (pair.spearman.value is None) == bool(np.isnan(expected))
    if pair.spearman.value is not None:
        assert pair.spearman.value == pytest.approx(expected)


def test_every_column_says_how_many_values_it_has():
    """Those that are known and those that are not are all rows."""
    figures = correlate([scale("a", [1, 2, np.nan, 4, 5]), scale("b", [10, 20, 30, 40, 50])], np.arange(5))
    assert [(one.known, one.missing) for one in figures.columns] == [(4, 1), (5, 0)]


def test_what_is_so_in_every_sample_is_certain():
    """A correlation without any spread has no chance of being none."""
    found = correlate([scale("a", range(8)), scale("b", range(0, 80, 10))], np.arange(8)).pairs[0].spearman
    assert (found.value, found.low, found.high, found.p_value) == (1.0, 1.0, 1.0, 0.0)


def test_known_coefficients_are_found():
    """On many rows of a known normal distribution, the intervals hold the truth."""
    rng = np.random.default_rng(3)
    a, b = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], 3000).T
    pair = correlate([scale("a", a), scale("b", b)], np.arange(3000), resamples=200).pairs[0]
    truths = {"pearson": 0.4, "spearman": 6 / np.pi * np.arcsin(0.2), "kendall": 2 / np.pi * np.arcsin(0.4)}
    for method, truth in truths.items():
        found = pair.coefficient(method)
        assert found.low < truth < found.high
        assert found.high - found.low < 0.08


@pytest.mark.slow
def test_intervals_hold_at_the_rate_they_claim_when_modules_repeat():
    """With four like rows a module, drawing modules covers the truth; drawing rows, as if they were apart, does not."""
    covered = {"modules": 0, "rows": 0}
    for seed in range(120):
        rng = np.random.default_rng(seed)
        centre = rng.normal(size=(60, 2)).repeat(4, axis=0)
        a, b = (centre + 0.3 * rng.normal(size=(240, 2))).T
        for how, groups in (("modules", np.arange(60).repeat(4)), ("rows", np.arange(240))):
            pair = correlate([scale("a", a), scale("b", b)], groups, resamples=200).pairs[0]
            covered[how] += pair.spearman.low < 0 < pair.spearman.high
    assert covered["modules"] / 120 >= 0.88
    assert covered["rows"] / 120 < 0.8


def test_p_values_agree_with_scipy_on_independent_rows():
    """Without repeated modules the bootstrap's test says what scipy's says."""
    from scipy import stats

    ds = rated(400).remove_columns("module_name")
    found = pairs(kb.Correlate(resamples=400, plots=None).run(ds))[("difficulty", "reward")]["spearman"]
    codes = [("low", "medium", "high").index(label) for label in ds["difficulty"]]
    expected = stats.spearmanr(codes, ds["reward"][:]).pvalue
    assert np.log10(found["p_value"]) == pytest.approx(np.log10(expected), rel=0.3)


def test_q_values_are_those_of_benjamini_and_hochberg():
    """The q-values of a method are scipy's over the p-values of its pairs."""
    from scipy import stats

    found = pairs(kb.Correlate(**QUICK).run(rated()))
    for method in METHODS:
        p_values = [pair[method]["p_value"] for pair in found.values()]
        expected = stats.false_discovery_control(p_values)
        assert [pair[method]["q_value"] for pair in found.values()] == pytest.approx(list(expected))


def test_pairs_without_a_p_value_are_no_part_of_the_table():
    """Undefined pairs do not make the others less significant."""
    found = pairs(kb.Correlate(between=("style", "reward", "c"), **QUICK).run(rated().add_column("c", [1.0] * 300)))
    assert found["style", "reward"]["pearson"]["q_value"] == found["style", "reward"]["pearson"]["p_value"]


def test_constant_columns_are_undefined():
    """A constant has no correlation, and the figures say why instead of giving NaN."""
    ds = rated(50).add_column("constant", [2.0] * 50)
    result = kb.Correlate(between=("reward", "constant"), plots="plots", resamples=20).run(ds)
    (pair,) = pairs(result).values()
    for method in METHODS:
        assert pair[method]["value"] is None
        assert pair[method]["undefined"] == "constant is constant in these 50 rows"
    assert "NaN" not in Path("plots/correlation_analysis.json").read_text()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "both columns are known in only 0 rows"),
        ([1.0], "both columns are known in only 1 row"),
        ([None, None, None, None], "both columns are known in only 0 rows"),
        ([1.0, 2.0], "both columns are known in only 2 rows"),
    ],
)
def test_too_few_rows(values, reason):
    """Empty, null and tiny columns have no coefficient and are not a failure."""
    ds = datasets.Dataset.from_dict(
        {"a": values, "b": values},
        features=datasets.Features(a=datasets.Value("float64"), b=datasets.Value("float64")),
    )
    result = kb.Correlate(between=("a", "b"), plots="plots").run(ds)
    (pair,) = pairs(result).values()
    assert pair["spearman"]["undefined"].startswith(reason)


def test_infinite_values_have_a_rank_but_no_moment():
    """Spearman takes infinity as the largest, Pearson says that it cannot."""
    pair = correlate([scale("a", [1, 2, 3, np.inf]), scale("b", [1, 2, 3, 4])], np.arange(4), resamples=0).pairs[0]
    assert pair.spearman.value == 1
    assert pair.pearson.undefined == "a value is infinite"


def test_labels_go_by_meaning_and_not_by_the_alphabet():
    """low < medium < high, so a rising reward correlates with it perfectly."""
    ds = datasets.Dataset.from_dict({"difficulty": ["low", "medium", "high"] * 4, "reward": [1.0, 2.0, 3.0] * 4})
    assert pairs(kb.Correlate(**QUICK).run(ds))["difficulty", "reward"]["kendall"]["value"] == 1


def test_labels_of_another_scale_must_be_given():
    """An unknown label is an error with its row; its order can be given, or it can be ignored."""
    ds = datasets.Dataset.from_dict(
        {"example_id": [7, 8, 9, 10], "difficulty": ["low", "awful", "high", "low"], "reward": [1.0, 2.0, 3.0, 4.0]}
    )
    with pytest.raises(RowError, match=r"'awful', in 1 row, first row 1 \(example_id 8\).*--labels"):
        kb.Correlate(**QUICK).run(ds)
    ordered = kb.Correlate(labels={"difficulty": "low, high, awful"}, **QUICK).run(ds)
    assert pairs(ordered)["difficulty", "reward"]["n"] == 4
    ignored = kb.Correlate(ignore=("awful",), **QUICK).run(ds)
    assert pairs(ignored)["difficulty", "reward"]["n"] == 3
    assert any("count as missing: difficulty in 1 row" in note for note in ignored.notes)


def test_truth_values_and_nested_columns():
    """true and false are 1 and 0, and a column may be a field of another."""
    from scipy import stats

    ds = datasets.Dataset.from_dict({"ok": [True, False, True, None], "info": [{"score": n} for n in (3, 1, 4, 1)]})
    (pair,) = pairs(kb.Correlate(between=("ok", "info.score"), **QUICK).run(ds)).values()
    assert pair["n"] == 3
    assert pair["pearson"]["value"] == pytest.approx(stats.pearsonr([1, 0, 1], [3, 1, 4]).statistic)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "--between"),
        ({"between": ("reward",)}, "two different columns"),
        ({"between": ("reward", "reward")}, "two different columns"),
        ({"between": ("reward", "nope")}, "no column 'nope'"),
        ({"between": ("reward", "prompt")}, "must hold numbers, labels, or true and false"),
    ],
)
def test_columns_are_checked_before_the_first_row(fields, says):
    """What cannot be correlated is found from the features."""
    with pytest.raises(SchemaError, match=says):
        kb.Correlate(**fields).output_features(evals([1.0]).features)


def test_repeated_modules_and_their_absence_are_said():
    """The notes say what Pearson takes for granted, and when modules are not known."""
    with_modules = kb.Correlate(**QUICK).run(rated()).notes
    without = kb.Correlate(**QUICK).run(rated().remove_columns("module_name")).notes
    assert "rows come from" in with_modules[0]
    assert "draws single rows" in without[0]


def test_equal_runs_give_equal_figures_and_drawings():
    """The seed is part of the stage, and SVG files carry no date."""
    texts = []
    for folder in ("one", "two"):
        result = kb.Correlate(plots=folder, resamples=20).run(rated(80))
        texts.append((json.dumps(dict(result.facts)), Path(folder, "correlation_analysis.svg").read_text()))
    assert texts[0] == texts[1]


def test_splits_are_correlated_together():
    """The figures are those of all rows, and the splits stay as they are."""
    splits = datasets.DatasetDict(train=rated(60), validation=rated(40, seed=1))
    result = kb.Correlate(**QUICK).run(splits)
    assert result.dataset is splits
    assert result.facts["rows"] == 100


def test_contract_files_and_table():
    """The stage keeps the contract, writes its three files, and gives a line for each pair and method."""
    check_stage(kb.Correlate(**QUICK), rated(60))
    kb.Correlate(between=("style", "reward"), resamples=20).run(rated(60))
    assert {path.name for path in Path("plots").iterdir()} == {
        f"correlation_analysis.{e}" for e in ("png", "svg", "json")
    }
    done = run(rated(60), [kb.Correlate(**QUICK)])
    assert [len(table.rows) for table in done.tables] == [9]


def test_many_columns_are_drawn():
    """Of more than six pairs the strongest are drawn; every kind of panel is among them."""
    rng = np.random.default_rng(0)
    columns = {f"c{n}": rng.normal(size=3500).tolist() for n in range(4)} | {"k": [n % 3 for n in range(3500)]}
    columns["j"] = [n % 2 == 0 for n in range(3500)]
    result = kb.Correlate(between=tuple(columns), resamples=0, plots="plots").run(datasets.Dataset.from_dict(columns))
    assert len(pairs(result)) == 15
    assert Path("plots/correlation_analysis.png").stat().st_size > 20_000


def test_scores_of_difficulty_are_found_and_all_three_correlations_made():
    """As the rubric difficulty-style writes them; what is left out is named with the reason."""
    ds = datasets.Dataset.from_dict(
        {
            "difficulty_score": [1, 3, 5, 7, 9, 2],
            "style": [9, 7, 6, 3, 1, 8],
            "reward": [0.5, 0.1, 0.9, 0.2, 0.4, 0.3],
            "speedup_reward": [1.0, 2.0, 1.5, 1.1, 0.3, 1.0],
            "difficulty": [["low"], ["high"], [], [], [], []],
        }
    )
    result = kb.Correlate(plots=None, resamples=10).run(ds)
    pairs = [(pair["x"], pair["y"]) for pair in result.facts["pairs"]]
    assert pairs == [("difficulty_score", "style"), ("difficulty_score", "reward"), ("style", "reward")]
    notes = "\n".join(result.notes)
    assert "neither numbers nor labels: difficulty (list of string)" in notes
    assert "--between names them: speedup_reward" in notes


def test_a_heatmap_of_one_cell_is_not_drawn(tmp_path):
    """One pair is a panel; three are a heatmap and three panels."""
    rows = {"style": [1, 2, 3, 5], "reward": [0.1, 0.5, 0.2, 0.9], "difficulty_score": [3, 1, 2, 4]}
    ds = datasets.Dataset.from_dict(rows)
    for between, is_there in ((("style", "reward"), False), ((), True)):
        kb.Correlate(plots=str(tmp_path), resamples=10, between=between).run(ds)
        assert ("Spearman" in (tmp_path / "correlation_analysis.svg").read_text()) == is_there
