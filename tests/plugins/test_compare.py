"""Comparison asks both orders, and says how often the place decided."""

import json

import pytest

import kbtools as kb
from kbtools.errors import UsageError
from kbtools.pipeline import plan, run
from kbtools.testing import check_stage
from tests.rows import evals


def _prefers(marker):
    """A model that prefers the text with this marker, wherever it stands."""

    def reply(body):
        prompt = body["messages"][-1]["content"]
        first = prompt.split("First:")[1].split("Second:")[0]
        second = prompt.split("Second:")[1].split("Reply with")[0]
        better = "equal" if (marker in first) == (marker in second) else "first" if marker in first else "second"
        return json.dumps({"reason": "r", "better": better})

    return reply


def test_columns_of_a_row_are_compared_in_both_orders(model_server):
    """An answer that both orders agree on is the verdict."""
    server, model = model_server(reply=_prefers("GOOD"))
    ds = evals([1.0, 1.0]).add_column("a", ["GOOD", "bad"]).add_column("b", ["bad", "GOOD"])
    out = kb.Compare(first="a", second="b", model=model)(ds)
    assert out["better"][:] == ["first", "second"]
    assert len(server.log) == 4


def test_pairs_of_a_group_are_planned_as_pairs(model_server):
    """Two calls for each pair; how many rows go on to the next stage depends on the pairs."""
    server, model = model_server()
    ds = evals([1.0, 0.5, 0.2, 0.1, 0.0], ["A", "A", "B", "B", "C"])
    compare = kb.Compare(group="task", model=model)
    steps = plan(ds, [compare, kb.Judge(model=model)])
    assert [calls.to_send for calls in steps[0].calls] == [4]
    assert steps[1].rows is None
    compare(ds)
    assert len(server.log) == 4


def test_model_that_always_takes_the_first_is_found_out(model_server):
    """The place decided in every row: inconsistent, and the bias is a fact of the record."""
    _, model = model_server(reply=lambda body: json.dumps({"reason": "r", "better": "first"}))
    ds = evals([1.0, 1.0]).add_column("a", ["x", "y"]).add_column("b", ["z", "w"])
    record = run(ds, [kb.Compare(first="a", second="b", model=model)]).records[0]
    assert record.facts["better"] == {"inconsistent": 2}
    assert record.facts["position_bias"] == {"first_place": 2, "second_place": 0, "of": 2}


def test_rows_of_a_group_become_pairs(model_server):
    """Successive rows of a group are compared; the odd one out is dropped with its reason."""
    _, model = model_server(reply=_prefers("x = 1"))
    done = run(evals([1.0] * 5, ["A", "B", "A", "A", "B"]), [kb.Compare(group="info.module_name", model=model)])
    assert done.dataset["example_id"][:] == [100, 101]
    assert done.dataset["second"][:] == ["<answer>\nx = 2\n</answer>", "<answer>\nx = 4\n</answer>"]
    assert done.dataset["better"][:] == ["equal", "first"]
    assert done.records[0].dropped == {"in the pair of another row": 2, "no partner left": 1}


def test_stage_keeps_the_contract(model_server):
    """The check for plugin authors holds in both ways of use."""
    _, model = model_server(reply=_prefers("x = 1"))
    check_stage(kb.Compare(group="info.module_name", model=model), evals([1.0] * 4, ["A", "A", "B", "B"]))
    ds = evals([1.0, 1.0]).add_column("a", ["x", "y"]).add_column("b", ["z", "w"])
    check_stage(kb.Compare(first="a", second="b", model=model), ds)


@pytest.mark.parametrize("fields", [{}, {"first": "task"}, {"first": "task", "second": "answer", "group": "task"}])
def test_one_way_must_be_chosen(fields):
    """Columns or groups, not both and not neither."""
    with pytest.raises(UsageError, match="either first=COLUMN second=COLUMN, or group=COLUMN"):
        kb.apply(evals([1.0]), kb.Compare(model="openai:x", **fields))
