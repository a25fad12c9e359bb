"""What a report says first: what is wrong with the rows, where, and what was looked for."""

import datasets
import pytest

import kbtools as kb
from kbtools.lineage import Lineage, StageRecord
from kbtools.report import headline, outliers, page
from tests.report.material import judged

NONE = page.ReportOptions("T", {}, resamples=0)


def said(data, lineage=None):
    """The headline of a dataset."""
    return headline.of(page.make(data, lineage or Lineage(), NONE).seen())


def problems(data, lineage=None):
    return {problem.text: problem.address for problem in said(data, lineage).wrong}


def rows(count=40, **columns):
    """Rows of a module each, with these columns of values by row."""
    whole = {"module_name": [f"M{n}" for n in range(count)], "python_code": [f"x = {n}" for n in range(count)]}
    return datasets.Dataset.from_dict({**whole, **columns})


def test_says_what_the_dataset_is():
    """Rows, modules, what they hold, and the pipeline that made them of what."""
    ds = kb.apply(kb.load("sample", limit=60), kb.Filter(where="reward > 0.5"), kb.StripReasoning())
    text = said(ds, kb.lineage.of(ds)).what
    assert text.startswith(f"{ds.num_rows} rows of ")
    assert text.endswith("with PyTorch code, Triton code, prompts and completions: 60 rows of sample "
                         "after filter and strip-reasoning.")  # fmt: skip


def test_nothing_wrong_is_said_with_what_was_looked_for():
    """A reader sees that silence is an answer, and what nobody could look at."""
    found = said(rows(reward=[n / 40 for n in range(40)]))
    assert found.wrong == []
    assert found.clear == ["duplicates", "failures", "constant rewards and verdicts", "outliers"]
    assert found.open == ["leaks between splits (there is one split)"]


def test_leaks_between_splits():
    """Values that stand in two splits, by what they are."""
    found = problems(datasets.DatasetDict({"train": rows(8), "validation": rows(2)}))
    assert found["2 modules are in more than one split"] == "#duplicates"
    assert found["2 PyTorch codes are in more than one split"] == "#duplicates"


def test_duplicates_are_rows_with_the_same_answer():
    """Many answers to one module are what rollouts have; the same answer twice is not."""
    ds = datasets.concatenate_datasets([judged(10), judged(3)])
    assert "6 rows repeat: the same answer in another row" in problems(ds)
    assert not [text for text in problems(judged(10)) if "repeat" in text]


@pytest.mark.parametrize(
    ("values", "text", "address"),
    [
        ([1.0] * 40, "reward is 1 in all 40 rows", "#one-value"),
        ([0.0] * 39 + [1.0], "reward is 0 in 98% of the rows", "#distributions"),
        ([None, *[n / 50 for n in range(39)]], "1 row without reward", "#rows?f.reward=none"),
        ([None] * 40, "reward has no value in any row", "#rows?f.reward=none"),
        ([n / 50 for n in range(39)] + [float("inf")], "1 row with an infinite reward", "#distributions"),
        ([n / 50 for n in range(39)] + [900.0], "1 row far above the others in reward (up to 900)",
         "#rows?f.reward=%3E%3D900.0&sort=-reward"),
        ([n / 50 for n in range(39)] + [-900.0], "1 row far below the others in reward (down to -900)",
         "#rows?f.reward=%3C%3D-900.0&sort=reward"),
    ],
)  # fmt: skip
def test_rewards_that_tell_nothing_or_stand_out(values, text, address):
    """Constant, nearly constant, missing, infinite, and far from all others: each with its rows."""
    ds = rows(
        reward=datasets.Dataset.from_dict({"r": values}, datasets.Features({"r": datasets.Value("float64")}))["r"]
    )
    assert problems(ds)[text] == address


def test_a_reward_that_is_the_same_in_all_rows_of_a_module():
    """Methods that compare the answers to one prompt learn nothing from such groups."""
    ds = datasets.Dataset.from_dict(
        {"module_name": ["a", "a", "b", "b", "c", "c"], "reward": [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]}
    )
    assert "in 2 of 3 modules with several rows all have the same reward" in problems(ds)


def test_a_long_tail_is_no_outlier():
    """Lengths and times differ by factors; what is far from the others is far by factors, too."""
    values = [2.0 ** (n % 13) for n in range(400)]
    assert list(outliers.far_ends(values)) == []
    assert [(end.rows, end.place) for end in outliers.far_ends([*values, 2.0**60])] == [(1, 400)]
    assert list(outliers.far_ends([1.0] * 10 + [9e9])) == []  # too few to say


def test_a_text_that_is_far_longer_is_named_by_its_row():
    """One endless completion fills a sequence; its row is one click away."""
    code = [f"x = {n}" + "#" * (n % 7) for n in range(39)] + ["#" * 90_000]
    found = problems(datasets.Dataset.from_dict({"python_code": code}))
    assert found["1 row with a far longer PyTorch code than the others (up to 90,000 characters)"] == "#index=39"


def test_failures_and_what_stages_say_is_wrong():
    """Errors in columns, rows that failed on the way, and the problems that a stage names, with its section."""
    facts = {"verdicts": {"pass": 30, "reference_error": 6, "reference_unfit:constant": 4}}
    record = StageRecord(stage="verify", distribution="kbtools", version="1", rows_in=40, rows_out=40, facts=facts)
    dropping = record.model_copy(update={"stage": "filter", "facts": {}, "failed": {"timeout": 3}})
    lineage = Lineage(stages=({"stage": "verify"}, {"stage": "filter"}), records=(record, dropping))
    found = problems(rows(error=[None] * 38 + ["ValueError: a", "ValueError: b"]), lineage)
    assert found["10 rows whose reference fails or is not fit for a check"] == "#stage-verify"
    assert found["2 rows with an error in error"] == "#failures"
    assert found["3 rows failed on the way"] == "#failures"
    fewer = problems(rows(10), lineage)
    assert "10 rows whose reference fails or is not fit for a check (then; 40 rows left it)" in fewer


def test_a_split_with_neighbours_is_a_problem_of_its_stage():
    """The warning of the split is at the top of the report."""
    facts = {"leakage": {"validation": {"0.6": 0.5, "0.7": 0.4, "0.8": 0.3, "0.9": 0.1}}}
    record = StageRecord(stage="split", distribution="kbtools", version="1", rows_in=40, rows_out=40, facts=facts)
    found = problems(rows(), Lineage(stages=({"stage": "split"},), records=(record,)))
    assert any(text.startswith("leakage: 30.0% of the rows of 'validation'") for text in found)
    assert "#stage-split" in found.values()


def test_charts_that_tell_little_come_last():
    """A reward that nearly all rows share stands behind a label that varies, though rewards come first."""
    ds = rows(100, reward=[0.0] * 99 + [1.0], task=["a", "b"] * 50)
    drawn = [chart.title for chart in page.make(ds, Lineage(), NONE).charts()["distributions"]]
    assert drawn.index("task") < drawn.index("reward")


def test_what_was_not_measured_is_one_short_line():
    """The rest of the reason is folded away."""
    found = page.make(rows(reward=[1.0] * 40), Lineage(), NONE).findings[0]
    assert (
        found.origin == "not measured: correlations need two different columns, and reward is what was given or found"
    )
    assert found.more
