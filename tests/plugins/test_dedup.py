"""The stage `dedup`: which row of a key stays, what counts as one key, and what is reported of the others."""

from __future__ import annotations

import math
from typing import Any

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.testing import check_stage
from tests.rows import CODE, EVALS, evals, evals_row, made, made_of

PLAIN = datasets.Features(
    {
        "id": datasets.Value("int64"),
        "k": datasets.Value("string"),
        "n": datasets.Value("float64"),
        "s": datasets.Value("float64"),
    }
)


def coded(*codes: str | None, rewards: list[float] | None = None, names: list[str] | None = None) -> datasets.Dataset:
    """Evals rows with these reference codes, all of one module and of falling reward unless told."""
    rows = [evals_row(i, "Net", 1.0 - i / 100) for i in range(len(codes))]
    for i, (row, code) in enumerate(zip(rows, codes, strict=True)):
        row["info"]["python_code"] = code
        row["info"]["module_name"] = names[i] if names else "Net"
        row["reward"] = rewards[i] if rewards else row["reward"]
    return made_of(rows, EVALS)


def ids(result: kb.Result) -> list[int]:
    """Ids of the kept rows, counted from 0."""
    return [number - 100 for number in result.dataset["example_id"]]


def test_best_row_of_each_module_stays_best_first() -> None:
    """One row per module name, sorted by reward; the others are dropped and say why."""
    ds = evals([0.1, 0.9, 0.5, 0.7], ["A", "B", "A", "B"])
    assert check_stage(kb.Dedup(), ds)["reward"][:] == [0.9, 0.5]
    result = kb.Dedup().run(ds)
    assert result.dropped_counts() == {"worse than the best row of its key": 2}
    assert sorted(result.dropped[0].rows["reward"]) == [0.1, 0.7]


def test_input_order_can_be_kept() -> None:
    """With order=input the kept rows stand as they came."""
    ds = evals([0.1, 0.9, 0.5, 0.7], ["A", "B", "A", "B"])
    assert ids(kb.Dedup(order="input").run(ds)) == [1, 2]


def test_first_of_equal_rows_wins() -> None:
    """Ties go to the row that came first, within a key and in the order of the result."""
    ds = evals([0.5, 0.5, 0.5, 0.5], ["B", "A", "A", "B"])
    assert ids(kb.Dedup().run(ds)) == [0, 1]


def test_facts_count_the_keys_and_name_the_best_ten() -> None:
    """The lineage holds the number of keys and the ten best with their scores: a name, never Unknown."""
    facts = kb.Dedup().run(evals([i / 100 for i in range(12)])).facts
    assert facts["keys"] == 12
    assert facts["top"][0] == {"key": "L", "score": 0.11}
    assert len(facts["top"]) == 10


def test_key_may_be_several_columns_or_roles() -> None:
    """Columns and roles mix; rows are duplicates only when all of them are equal."""
    ds = evals([0.1, 0.2, 0.3], ["A", "A", "A"]).add_column("task_id", ["x", "x", "y"])
    result = kb.Dedup(key=("module_name", "task_id")).run(ds)
    assert ids(result) == [2, 1]
    assert result.facts["top"][0]["key"] == ["A", "y"]


def test_score_may_be_any_column_of_numbers() -> None:
    """`by` names the column whose highest value is best."""
    ds = evals([0.1, 0.2], ["A", "A"]).add_column("speedup", [9, 1])
    assert ids(kb.Dedup(by="speedup").run(ds)) == [0]


def test_infinite_score_is_best_and_zero_equals_minus_zero() -> None:
    """Infinity is a number like others; the first of 0.0 and -0.0 wins."""
    assert ids(kb.Dedup().run(evals([1.0, math.inf], ["A", "A"]))) == [1]
    assert ids(kb.Dedup().run(evals([-0.0, 0.0], ["A", "A"]))) == [0]


# ---- nulls ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [None, math.nan])
def test_missing_score_is_an_error_that_names_the_row(score: float | None) -> None:
    """NaN is null; the message gives the column, the row with its id, and the options."""
    with pytest.raises(kb.errors.RowError, match=r"reward is null or NaN in 1 row: row 1 \(example_id 101\).*--nulls"):
        kb.Dedup().run(evals([0.5, score], ["A", "A"]))


@pytest.mark.parametrize("score", [None, math.nan])
def test_missing_score_is_dropped_or_the_worst(score: float | None) -> None:
    """With `drop` such rows go for a reason of their own; with `keep` they lose to every row with a score."""
    ds = evals([score, 0.1, score], ["A", "A", "B"])
    dropped = kb.Dedup(nulls="drop").run(ds)
    assert (ids(dropped), dropped.dropped_counts()) == ([1], {"null reward": 2})
    kept = kb.Dedup(nulls="keep").run(ds)
    assert (ids(kept), kept.dropped_counts()) == ([1, 2], {"worse than the best row of its key": 1})


def test_missing_key_is_an_error_dropped_or_equal_to_none() -> None:
    """Rows whose key is not known are never duplicates of one another."""
    ds = evals([0.1, 0.2, 0.3], [None, None, "A"])
    with pytest.raises(kb.errors.RowError, match=r"info\.module_name is null.*2 rows"):
        kb.Dedup().run(ds)
    assert ids(kb.Dedup(nulls="keep").run(ds)) == [2, 1, 0]
    assert kb.Dedup(nulls="drop").run(ds).dropped_counts() == {"null info.module_name": 2}


def test_row_without_key_and_score_counts_once() -> None:
    """A row that is null twice is dropped under the first reason only."""
    ds = evals([None, 0.5], [None, "A"])
    assert kb.Dedup(nulls="drop").run(ds).dropped_counts() == {"null info.module_name": 1}


# ---- reference code -------------------------------------------------------------------------------------------------

SAME = (
    "def f(x):\n    return x + 1\n",
    '"""Module."""\n# a comment\ndef f( x ):\n    "docstring"\n    return (x\n            + 1)  # why\n',
)


def test_code_key_ignores_comments_docstrings_and_formatting() -> None:
    """Two texts of one syntax tree are one key; another constant makes another."""
    result = kb.Dedup(key=("code",)).run(coded(*SAME, "def f(x):\n    return x + 2\n", names=["A", "B", "C"]))
    assert ids(result) == [0, 2]
    assert result.facts["top"][0] == {"key": "row 0 (example_id 100)", "score": 1.0}


def test_function_of_a_docstring_alone_equals_one_that_passes() -> None:
    """Taking a docstring away leaves a body that does nothing."""
    assert ids(kb.Dedup(key=("code",)).run(coded('def f():\n    "doc"\n', "def f():\n    pass\n"))) == [0]


def test_the_same_lines_in_another_branch_are_other_code() -> None:
    """What belongs to what counts, not only what stands there."""
    ds = coded("if a:\n    b\n    c", "if a:\n    b\nelse:\n    c", "if a:\n    b;  c")
    assert ids(kb.Dedup(key=("code",)).run(ds)) == [0, 1]


def test_code_that_does_not_parse_equals_only_the_same_text() -> None:
    """It is neither an error nor thrown together, and a note counts and names it."""
    broken = ["def f(:", "def f(: ", "def f(:", "(" * 1_000, "x = '\\d'"]
    result = check_stage(kb.Dedup(key=("code",)), coded(*broken))
    assert [number - 100 for number in result["example_id"]] == [0, 1, 3, 4]
    notes = kb.Dedup(key=("code",)).run(coded(*broken)).notes
    assert len(notes) == 1
    assert notes[0].startswith("codes that do not parse and equal only the very same text: 3 (")
    assert "row 0 (example_id 100)" in notes[0]


def test_code_and_name_make_one_key_together() -> None:
    """`code` may stand beside columns."""
    ds = coded(SAME[0], SAME[1], SAME[0], names=["A", "A", "B"])
    assert ids(kb.Dedup(key=("code", "module_name")).run(ds)) == [0, 2]


def test_one_name_for_different_code_is_warned_of() -> None:
    """The note counts the keys, gives examples with their number of codes, and says what becomes of them."""
    result = kb.Dedup().run(coded("x = 1", "x = 2", "x = 2  # same", "y = 1", names=["Net", "Net", "Net", "Other"]))
    assert ids(result) == [0, 3]
    assert len(result.notes) == 1
    assert "1 key (info.module_name) with different reference code: 'Net' (2 codes)." in result.notes[0]
    assert "--collisions split" in result.notes[0]


def test_same_code_formatted_differently_is_no_collision() -> None:
    """Comments do not make another module."""
    assert kb.Dedup(collisions="error").run(coded(*SAME)).notes == ()


def test_collision_is_an_error_when_asked() -> None:
    """`error` fails with the same figures."""
    with pytest.raises(kb.errors.RowError, match=r"'Net' \(2 codes\).*--collisions split"):
        kb.Dedup(collisions="error").run(coded("x = 1", "x = 2"))


def test_collision_split_keeps_the_best_row_of_each_code() -> None:
    """Same-named different modules are different modules."""
    ds = coded("x = 1", "x = 2", "x = 1 # again", "x = 2", rewards=[0.1, 0.2, 0.3, 0.4])
    result = kb.Dedup(collisions="split").run(ds)
    assert ids(result) == [3, 2]
    assert "Each code keeps its best row" in result.notes[0]


def test_missing_code_is_unknown_only_where_code_decides() -> None:
    """Null code is not a collision, but an error where different code would be split."""
    ds = coded("x = 1", None)
    assert kb.Dedup().run(ds).notes == ()
    with pytest.raises(kb.errors.RowError, match=r"info\.python_code is null"):
        kb.Dedup(collisions="split").run(ds)
    assert ids(kb.Dedup(collisions="split", nulls="keep").run(ds)) == [0, 1]
    assert kb.Dedup(key=("code",), nulls="drop").run(ds).dropped_counts() == {"null info.python_code": 1}


def test_dataset_without_code_is_told_that_collisions_cannot_be_seen() -> None:
    """What was not checked is said; what needs the code is refused before the first row."""
    ds = evals([0.5]).remove_columns("info").add_column("module_name", ["A"])
    assert "no reference code" in kb.Dedup().run(ds).notes[0]
    for stage in (kb.Dedup(collisions="split"), kb.Dedup(collisions="error"), kb.Dedup(key=("code",))):
        with pytest.raises(kb.errors.SchemaError, match="reference_code"):
            stage.output_features(ds.features)


# ---- columns and splits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"key": ("modul",)}, "no column 'modul'"),
        ({"key": ("prompt",)}, "single values"),
        ({"by": "task"}, "must hold numbers"),
        ({"by": "speed"}, "no column 'speed'"),
    ],
)
def test_wrong_column_is_found_before_the_first_row(fields: dict[str, Any], says: str) -> None:
    """Unknown names, lists as keys and texts as scores are errors of the schema."""
    with pytest.raises(kb.errors.SchemaError, match=says):
        kb.Dedup(**fields).output_features(EVALS)


def test_columns_say_where_a_role_stands() -> None:
    """An override moves the key."""
    ds = evals([0.1, 0.2], ["A", "A"]).add_column("mine", ["x", "y"])
    assert ids(kb.Dedup(columns={"module_name": "mine"}).run(ds)) == [1, 0]


def test_no_key_stands_in_two_splits_afterwards() -> None:
    """Splits are looked at together, and every kept row stays in its own."""
    splits = datasets.DatasetDict({"train": evals([0.1, 0.9], ["A", "B"]), "validation": evals([0.5, 0.2], ["A", "B"])})
    out = kb.Dedup().run(splits).dataset
    assert {name: ds["reward"][:] for name, ds in out.items()} == {"train": [0.9], "validation": [0.5]}


def test_split_without_rows_stays_empty() -> None:
    """A split that an earlier stage emptied does not stop the others."""
    whole = datasets.concatenate_datasets([evals([0.1, 0.9], ["A", "B"]), evals([0.5])])
    splits = datasets.DatasetDict({"train": whole, "validation": whole.select([])})
    assert {name: ds.num_rows for name, ds in kb.Dedup().run(splits).dataset.items()} == {"train": 2, "validation": 0}


@pytest.mark.parametrize(("keys", "more"), [("ABC", ""), ("ABCD", " and 1 more"), ("ABCDE", " and 2 more")])
def test_two_different_modules_of_a_long_collision_list_are_counted(keys: str, more: str) -> None:
    """Only the first three keys are named."""
    names = [name for name in keys for _ in range(2)]
    note = kb.Dedup().run(coded(*[CODE.format(name="N", n=i) for i in range(2 * len(keys))], names=names)).notes[0]
    assert f"{len(keys)} keys" in note
    assert f"'C' (2 codes){more}." in note


# ---- against a naive implementation ---------------------------------------------------------------------------------


def naive(rows: list[dict[str, Any]], nulls: str) -> list[int]:
    """The rows that stay, by loops and dicts: the definition of the stage."""

    def missing(value: object) -> bool:
        return value is None or value != value

    best: dict[Any, int] = {}
    for index, row in enumerate(rows):
        unknown = missing(row["k"]) or missing(row["n"])
        if nulls == "drop" and (unknown or missing(row["s"])):
            continue
        key = ("row", index) if unknown else (row["k"], row["n"])
        score = -math.inf if missing(row["s"]) else row["s"]
        if key not in best:
            best[key] = index
        else:
            old = rows[best[key]]["s"]
            beaten = not missing(row["s"]) and (missing(old) or score > old)
            best[key] = index if beaten else best[key]
    ranked = sorted(best.values())
    ranked.sort(key=lambda i: (missing(rows[i]["s"]), 0 if missing(rows[i]["s"]) else -rows[i]["s"]))
    return ranked


number = st.one_of(
    st.none(), st.just(math.nan), st.sampled_from([0.0, -0.0, 1.0, math.inf, -math.inf]), st.floats(-2, 2)
)
rows_of_keys = st.lists(
    st.fixed_dictionaries(
        {
            "k": st.one_of(st.none(), st.sampled_from(["", "a", "A", "ä", "a\x00", "\u202ea", "💥"])),
            "n": st.one_of(st.none(), st.just(math.nan), st.sampled_from([0.0, -0.0, 1.0])),
            "s": number,
        }
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=100)
@given(rows_of_keys, st.sampled_from(["drop", "keep"]), st.sampled_from(["score", "input"]))
def test_agrees_with_the_naive_definition(rows: list[dict[str, Any]], nulls: Any, order: Any) -> None:
    """Nulls, NaN, infinities, signed zeros, ties and odd texts in key and score give the rows that loops give."""
    columns = {name: [row.get(name, index) for index, row in enumerate(rows)] for name in PLAIN}
    ds = made(columns, PLAIN)
    result = kb.Dedup(key=("k", "n"), by="s", nulls=nulls, order=order).run(ds)
    expected = naive(rows, nulls)
    assert result.dataset["id"][:] == (expected if order == "score" else sorted(expected))
    assert result.dataset.num_rows + sum(result.dropped_counts().values()) == len(rows)
