"""The stage `filter`: what its expressions mean, which it refuses, and that nothing of them is ever executed."""

from __future__ import annotations

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools.testing import check_stage
from tests.rows import made

ROWS = datasets.Dataset.from_dict(
    {
        "id": [0, 1, 2, 3],
        "count": [1, 2, None, 4],
        "reward": [0.5, float("nan"), None, 2.0],
        "text": ["a1", "B 💥", None, " c "],
        "good": [True, False, None, True],
        "tags": [[1], [], None, [1, 2]],
        "info": [{"name": "x", "deep": {"k": 1}}, {"name": "y", "deep": {"k": 2}}, {"name": None, "deep": None}, None],
        "a.b": [1, 2, 3, 4],
        "nothing": [None] * 4,
    }
)


def kept(where: str, nulls: str = "drop") -> list[int]:
    """Ids of the rows that stay."""
    return kb.Filter(where=where, nulls=nulls).run(ROWS).dataset["id"][:]


@pytest.mark.parametrize("where", ["count > 1", "good or count == 2", "info.name == 'x'", "count in ()"])
def test_contract(where: str) -> None:
    """Rows that stay, rows that are null, and none at all."""
    check_stage(kb.Filter(where=where, nulls="drop"), ROWS)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("count > 1", [1, 3]),
        ("count != 1", [1, 3]),
        ("0.4 < reward < 1", [0]),
        ("1 < count <= 4 != 3", [1, 3]),
        ("not count > 1", [0]),
        ("good", [0, 3]),
        ("not good", [1]),
        ("good == true and count > 1", [3]),
        ("good or count == 2", [0, 1, 3]),
        ("'a1' == text", [0]),
        ("text in ('a1', ' c ')", [0, 3]),
        ("text not in ['a1']", [1, 3]),
        ("count in (1, -2)", [0]),
        ("count in ()", []),
        ("info.name == 'x'", [0]),
        ("info.deep.k == 2", [1]),
        ("a.b == 3", [2]),
        ("col('a.b') == 3", [2]),
        ("contains(text, '1')", [0]),
        ("contains(text, '💥')", [1]),
        ("startswith(text, 'B')", [1]),
        ("endswith(text, ' ')", [3]),
        (r"matches(text, '\d$')", [0]),
        ("lower(text) == 'b 💥'", [1]),
        ("upper(text) == 'A1'", [0]),
        ("strip(text) == 'c'", [3]),
        ("len(text) == 3", [1, 3]),
        ("len(tags) > 1", [3]),
        ("abs(0 - count) == 4", [3]),
        ("-count < -1", [1, 3]),
        ("count / 2 == 0.5", [0]),
        ("count * 2 - 1 > 2 + 0", [1, 3]),
    ],
)
def test_expression_keeps_the_rows_where_it_is_true(where: str, ids: list[int]) -> None:
    """Operators, functions, chains and nested columns mean what they mean in Python; 1 / 2 is a half."""
    assert kept(where) == ids


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("reward is null", [1, 2]),
        ("reward is not null", [0, 3]),
        ("count is None", [2]),
        ("info is null", [3]),
        ("info.name is null", [2, 3]),
        ("nothing is null", [0, 1, 2, 3]),
        ("count is not null and reward is not null", [0, 3]),
    ],
)
def test_is_null_finds_null_and_nan_and_is_never_null_itself(where: str, ids: list[int]) -> None:
    """NaN counts as null, and so does a field of a null struct."""
    assert kept(where, nulls="error") == ids


@pytest.mark.parametrize(("nulls", "ids"), [("drop", [3]), ("keep", [1, 2, 3])])
def test_null_compares_to_nothing_and_the_user_decides(nulls: str, ids: list[int]) -> None:
    """Rows that compare null or NaN go or stay as told, and are counted apart from those that are false."""
    assert kept("reward > 1", nulls) == ids
    dropped = kb.Filter(where="reward > 1", nulls=nulls).run(ROWS).dropped_counts()
    assert dropped == {"not reward > 1": 1} | ({"null in the expression": 2} if nulls == "drop" else {})


def test_null_is_an_error_unless_told_otherwise() -> None:
    """The message counts the rows, names them with their ids, and says which options there are."""
    with pytest.raises(
        kb.errors.RowError, match=r"2 rows.*row 1 \(id 1\), row 2 \(id 2\).*--nulls drop or --nulls keep"
    ):
        kb.Filter(where="reward > 1").run(ROWS)


def test_a_side_that_decides_hides_the_null_of_the_other() -> None:
    """`null or true` is true and `null and false` is false, so such rows are not an error."""
    ds = datasets.Dataset.from_dict({"a": [None, 1], "b": [True, False]})
    assert kb.Filter(where="a > 5 or b").run(ds).dataset["b"][:] == [True]
    assert kb.Filter(where="not (a > 5 and not b)").run(ds).dataset.num_rows == 2


def test_zero_divided_by_zero_is_null_as_nan_is() -> None:
    """A NaN that arises in the expression is treated as one that stood in the data."""
    ds = datasets.Dataset.from_dict({"a": [0.0, 1.0]})
    assert kb.Filter(where="a / a > 0", nulls="drop").run(ds).dataset["a"][:] == [1.0]


@pytest.mark.parametrize(
    ("where", "error", "says"),
    [
        ("rewrd > 1", kb.errors.SchemaError, "no column 'rewrd'. Did you mean 'reward'"),
        ("info.nme == 'x'", kb.errors.SchemaError, "Did you mean 'info.name'"),
        ("text > 3", kb.errors.SchemaError, "text is string"),
        ("count == 'a'", kb.errors.SchemaError, "count is int64"),
        ("count in (1, 'a')", kb.errors.SchemaError, "count is int64"),
        ("good == 1", kb.errors.SchemaError, "good is bool"),
        ("tags == 1", kb.errors.SchemaError, "tags is list"),
        ("text / 2 > 1", kb.errors.SchemaError, "text is string"),
        ("contains(count, 'a')", kb.errors.SchemaError, "count is int64"),
        ("contains(text, 3)", kb.errors.SchemaError, "int found"),
        ("matches(text, '(')", kb.errors.SchemaError, "Invalid regular expression"),
        ("count", kb.errors.SchemaError, "neither true nor false"),
        ("1 == 1", kb.errors.UsageError, "names no column"),
        ("", kb.errors.UsageError, "not an expression"),
        ("count >", kb.errors.UsageError, "not an expression"),
        ("count = 1", kb.errors.UsageError, "Equality is written =="),
        ("count > 1 AND good", kb.errors.UsageError, "in small letters"),
        ("count <> 1", kb.errors.UsageError, "Write != for <>"),
        ("text like 'a%'", kb.errors.UsageError, r"Write contains\(\)"),
        ("`a.b` == 3", kb.errors.UsageError, r"col\('its name'\)"),
        ("'a' in text", kb.errors.UsageError, r"found by contains\(column, 'text'\)"),
        ("count == null", kb.errors.UsageError, "write `is null`"),
        ("count in (1, null)", kb.errors.UsageError, "list of values"),
        ("count in (1, None)", kb.errors.UsageError, "is null"),
        ("text in 'ab'", kb.errors.UsageError, "after `in` comes a list"),
        ("count is 3", kb.errors.UsageError, "write =="),
        ("count ** 2 > 1", kb.errors.UsageError, "not allowed"),
        ("contians(text, 'a')", kb.errors.UsageError, "Did you mean 'contains'"),
        ("contains(text)", kb.errors.UsageError, r"write contains\(column, 'text'\)"),
        ("lower(string=text)", kb.errors.UsageError, r"write lower\(column\)"),
        ("count > 99999999999999999999", kb.errors.UsageError, "no column can hold"),
        (r"text == '\ud800'", kb.errors.UsageError, "no column can hold"),
        ("count == 1j", kb.errors.UsageError, "no column can hold"),
    ],
)
def test_refused_expression_says_what_is_wrong(where: str, error: type[Exception], says: str) -> None:
    """An expression that does not fit is an error before the first row, with the column's type or the nearest name."""
    with pytest.raises(error, match=says):
        kb.Filter(where=where).output_features(ROWS.features)


def test_overflow_is_an_error_not_a_negative_number() -> None:
    """Integers never wrap around."""
    with pytest.raises(kb.errors.SchemaError, match="overflow"):
        kb.Filter(where="count + 9223372036854775807 > 0").run(ROWS)


@pytest.mark.parametrize(
    "where",
    [
        "__import__('os').system('touch hostile') == 0",
        "().__class__.__bases__[0].__subclasses__()",
        "text.__class__ == 1",
        "(lambda: good)()",
        "f'{count}' == '1'",
        "[x for x in text]",
        "text[0] == 'a'",
        "good if count else good",
        "(count := 3) == 3",
        "exec('x') == 1",
        "open('hostile', 'w') is null",
        "matches.__globals__ is null",
        "await good",
        "*good,",
        "good; good",
        "count == b'\\x00'",
        "(" * 300 + "good" + ")" * 300,
        "not " * 5_000 + "good",
        "+".join(["count"] * 5_000) + " > 1",
        "not " * 300 + "good",
        "count == " + "9" * 5_000,
    ],
)
def test_hostile_expression_is_an_error_and_runs_nothing(where: str, tmp_path, monkeypatch) -> None:
    """Calls, attributes, subscripts, comprehensions and towers of parentheses end in a UsageError, not in Python."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kb.errors.UsageError):
        kb.Filter(where=where).run(ROWS)
    assert list(tmp_path.iterdir()) == []


def test_long_expression_is_evaluated() -> None:
    """Five hundred alternatives and a list of twenty thousand values are not a problem."""
    assert kept(" or ".join(["count == 1"] * 500)) == [0]
    assert kept(f"count in ({', '.join(map(str, range(3, 20_000)))})") == [3]


def test_view_and_row_order_stay() -> None:
    """Filtering a shuffled view keeps the view's order."""
    view = ROWS.select([3, 1, 0])
    assert kb.Filter(where="count > 0").run(view).dataset["id"][:] == [3, 1, 0]


def test_every_split_is_filtered_alone() -> None:
    """A DatasetDict keeps its splits, and the drops of all are counted together."""
    splits = datasets.DatasetDict({"train": ROWS.select([0, 1]), "validation": ROWS.select([3])})
    result = kb.Filter(where="count > 1").run(splits)
    assert {name: ds["id"][:] for name, ds in result.dataset.items()} == {"train": [1], "validation": [3]}
    assert result.dropped_counts() == {"not count > 1": 1}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-3, 3).map(float))), st.floats(-3, 3))
def test_comparison_agrees_with_python(values: list[float | None], limit: float) -> None:
    """`>` keeps exactly the rows for which Python says so, NaN and null apart."""
    ds = made({"x": values}, datasets.Features({"x": datasets.Value("float64")}))
    found = kb.Filter(where=f"x > {limit!r}", nulls="drop").run(ds).dataset["x"][:]
    assert found == [value for value in values if value is not None and value > limit]
