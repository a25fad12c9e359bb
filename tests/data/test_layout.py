"""Roles are found wherever a layout puts them, and an unclear place is an error that shows the columns."""

import datasets
import pytest

from kbtools.data.columns import Schema
from kbtools.errors import SchemaError, UsageError
from tests.rows import EVALS, KERNELBOOK


def _features(**columns: str) -> datasets.Features:
    return datasets.Features({name: datasets.Value(kind) for name, kind in columns.items()})


@pytest.mark.parametrize(
    ("features", "role", "place"),
    [
        (EVALS, "module_name", "info.module_name"),
        (EVALS, "reference_code", "info.python_code"),
        (EVALS, "row_id", "example_id"),
        (EVALS, "completion", "completion"),
        (datasets.Features({**EVALS, "trajectory": datasets.Value("string")}), "module_name", "info.module_name"),
        (KERNELBOOK, "module_name", "module_name"),
        (KERNELBOOK, "entry_point", "entry_point"),
        (KERNELBOOK, "row_id", "uuid"),
        (_features(messages="string", reward="float64"), "completion", "messages"),
        (_features(messages="string", reward="float64"), "reward", "reward"),
        (_features(name="string", original_code="string"), "module_name", "name"),
        (_features(name="string", original_code="string"), "reference_code", "original_code"),
    ],
)
def test_role_is_found_where_its_layout_puts_it(features, role, place):
    """Each known layout says where its roles stand, nested columns included."""
    assert Schema(features).find(role) == place


def test_unknown_role_names_the_columns_and_the_option():
    """A role that stands nowhere is an error that lists what there is and how to say it."""
    with pytest.raises(SchemaError, match=r"reward of .* in none.*foo \(string\).*--columns reward=COLUMN"):
        Schema(_features(foo="string")).find("reward")


def test_ambiguous_role_is_an_error():
    """Two columns that may both hold the code are not chosen between."""
    features = _features(python_code="string", reference_code="string")
    with pytest.raises(SchemaError, match="may be any of python_code, reference_code"):
        Schema(features).find("reference_code")


def test_two_layouts_at_once_are_ambiguous_only_where_they_differ():
    """Messages beside an evals completion: the completion is unclear, the module name is not."""
    schema = Schema(datasets.Features({**EVALS, "messages": datasets.Value("string")}))
    assert schema.find("module_name") == "info.module_name"
    with pytest.raises(SchemaError, match="completion, messages"):
        schema.find("completion")


def test_override_wins_and_must_exist():
    """`--columns` says where a role stands; a column that is not there is an error with the nearest one."""
    assert Schema(EVALS, {"module_name": "info.triton_code"}).find("module_name") == "info.triton_code"
    with pytest.raises(SchemaError, match=r"no column 'info\.module'. Did you mean 'info\.module_name'"):
        Schema(EVALS, {"module_name": "info.module"}).find("module_name")


def test_unknown_role_in_an_override_is_a_usage_error():
    """A misspelt role is told its nearest."""
    with pytest.raises(UsageError, match="Did you mean 'module_name'"):
        Schema(EVALS, {"modul_name": "x"})


def test_column_whose_own_name_has_a_dot_is_found():
    """A flat column called a.b is itself, not a field of a."""
    assert Schema(_features(**{"a.b": "string"})).path("a.b") == "a.b"


@pytest.mark.parametrize(
    ("path", "kind"), [("reward", "text"), ("task", "number"), ("task", "bool"), ("reward", "messages")]
)
def test_wrong_type_names_the_column_its_type_and_what_is_needed(path, kind):
    """A column of the wrong kind is refused with both types."""
    with pytest.raises(SchemaError, match=f"column '{path}' must hold .* but its type is"):
        Schema(EVALS).require(path, kind)


def test_messages_may_be_lists_or_json_text():
    """Both forms in which messages arrive are messages."""
    assert Schema(EVALS).require("completion", "messages") == "completion"
    assert Schema(EVALS).require("task", "messages") == "task"
