"""The stage `convert-rollouts`: three generations of rollout files become the same evals rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

import kbtools as kb
from kbtools.testing import check_stage

COLUMNS = [
    "example_id",
    "prompt",
    "completion",
    "task",
    "reward",
    "generation_ms",
    "scoring_ms",
    "total_ms",
    "info",
    "answer",
    "speedup_reward",
    "num_turns",
    "oai_tools",
]
INFO = {"module_name": "M", "python_code": "class M: ...", "triton_code": "pass"}
PROMPT = [{"role": "user", "content": "Write MNew."}]
TURNS = [
    {"role": "assistant", "content": "<answer>A</answer>"},
    {"role": "user", "content": "Faster."},
    {"role": "assistant", "content": "<answer>B</answer>"},
]
EXPECTED = {
    "example_id": 7,
    "prompt": PROMPT,
    "completion": [
        {**TURNS[0], "reasoning": "first"},
        {**TURNS[1], "reasoning": None},
        {**TURNS[2], "reasoning": "second"},
    ],
    "task": "kernelbook",
    "reward": 1.5,
    "generation_ms": 2000.0,
    "scoring_ms": 30.0,
    "total_ms": 2030.0,
    "info": INFO,
    "answer": "pass",
    "speedup_reward": 1.25,
    "num_turns": 2.0,
    "oai_tools": None,
}


def step(reasoning: str | None) -> dict[str, Any]:
    """One step of a trajectory, as an OpenAI client answers it."""
    return {"response": {"id": "x", "choices": [{"message": {"role": "assistant", "reasoning_content": reasoning}}]}}


def vf_eval(**changes: Any) -> dict[str, Any]:
    """A row of vf-eval: reasoning only in the trajectory."""
    common = {name: value for name, value in EXPECTED.items() if name not in ("completion", "oai_tools")}
    row = {**common, "completion": TURNS, "error": None, "trajectory": [step("first"), step("second")]}
    return {**row, **changes}


def synthesize(key: str = "reasoning_content", **changes: Any) -> dict[str, Any]:
    """A row of synthesize: reasoning in the messages, tools as JSON text."""
    turns = [{**TURNS[0], key: "first"}, TURNS[1], {**TURNS[2], key: "second"}]
    return {**EXPECTED, "completion": turns, "oai_tools": "null", **changes}


def verifiers(**changes: Any) -> dict[str, Any]:
    """A row of newer verifiers: timing and metrics as objects, an empty answer left out."""
    turns = [{**TURNS[0], "reasoning_content": "first"}, TURNS[1], {**TURNS[2], "reasoning_content": "second"}]
    metrics = {"speedup_reward": 1.25, "num_turns": 2.0}
    row = {
        "example_id": 7,
        "prompt": PROMPT,
        "completion": turns,
        "answer": "pass",
        "task": "kernelbook",
        "info": INFO,
        "reward": 1.5,
        "error": None,
        "timing": {"start_time": 1.0, "generation_ms": 2000.0, "scoring_ms": 30.0, "total_ms": 2030.0},
        "is_completed": True,
        "is_truncated": False,
        "stop_condition": "max_turns_reached",
        "metrics": metrics,
        "tool_defs": None,
        "token_usage": {"input_tokens": 10.0, "output_tokens": 20.0},
        **metrics,
    }
    return {**row, **changes}


def converted(*rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """The rows after a trip through a file and the stage."""
    out: list[dict[str, Any]] = kb.ConvertRollouts(**options).run(read(*rows)).dataset.to_list()
    return out


def read(*rows: dict[str, Any]) -> datasets.Dataset:
    """The rows after a trip through a file."""
    path = Path("results.jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return kb.load(str(path))


def test_contract() -> None:
    """On rows of every generation, some of which are converted already."""
    check_stage(kb.ConvertRollouts(), read(vf_eval(), verifiers(), synthesize(), EXPECTED))


@pytest.mark.parametrize("make", [vf_eval, synthesize, verifiers])
def test_every_generation_becomes_the_same_row(make: Any) -> None:
    """Whatever wrote the rollout, the row has the columns of the evals layout, in its order, with the same values."""
    (row,) = converted(make())
    assert list(row) == COLUMNS
    assert row == EXPECTED


def test_generations_may_be_mixed_in_one_file() -> None:
    """Each row is read as what it is."""
    assert converted(vf_eval(), verifiers(), synthesize()) == [EXPECTED] * 3


def test_converted_rows_stay_as_they_are() -> None:
    """The evals layout is an input too."""
    assert converted(EXPECTED) == [EXPECTED]


def test_each_turn_has_the_reasoning_of_its_own_step() -> None:
    """A turn whose step has no reasoning has none, and does not get that of another."""
    (row,) = converted(vf_eval(trajectory=[step(None), step("second")]))
    assert [turn["reasoning"] for turn in row["completion"]] == [None, None, "second"]


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content", "thinking"])
def test_usual_names_of_the_reasoning_are_known(key: str) -> None:
    """Synthesize writes reasoning under the name that the server gave it."""
    assert converted(synthesize(key)) == [EXPECTED]


def test_an_unusual_name_can_be_given() -> None:
    """`reasoning_field` names the key, as it did for synthesize; a row may name it, too."""
    assert converted(synthesize("cot"), reasoning_field="cot") == [EXPECTED]
    assert converted(synthesize("cot", reasoning_field="cot")) == [EXPECTED]


def test_newest_verifiers_count_seconds() -> None:
    """Spans in seconds become milliseconds, by their duration or by their ends."""
    timing = {"generation": {"start": 5.0, "end": 7.0}, "scoring": {"duration": 0.03}, "total": 2.03}
    assert converted(verifiers(timing=timing))[0]["total_ms"] == pytest.approx(2030.0)
    assert converted(verifiers(timing=timing))[0]["generation_ms"] == 2000.0
    assert converted(verifiers(timing=timing))[0]["scoring_ms"] == 30.0


def test_newer_verifiers_may_keep_the_reasoning_in_the_trajectory() -> None:
    """Where the messages have none, the responses of the trajectory are looked at, of old and of new form."""
    new = [{"response": {"message": {"content": "A", "reasoning_content": text}}} for text in ("first", "second")]
    assert converted(verifiers(completion=TURNS, trajectory=new)) == [EXPECTED]


def test_what_newer_verifiers_leave_out() -> None:
    """An empty answer is left out there and empty here; metrics may stand in their object alone; info may be JSON."""
    row = verifiers(info=json.dumps(INFO))
    for name in ("answer", "speedup_reward", "num_turns", "task"):
        del row[name]
    assert converted(row) == [{**EXPECTED, "answer": "", "task": None}]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"oai_tools": '[{"type": "function"}]'}, '[{"type": "function"}]'),
        ({"oai_tools": "null"}, None),
        ({"oai_tools": "[]"}, None),
        ({"tool_defs": [{"name": "run", "parameters": {}}]}, '[{"type": "function", "function": {"name": "run"'),
        ({"tool_defs": []}, None),
    ],
)
def test_tools_are_json_text(given: dict[str, Any], kept: str | None) -> None:
    """Tools become JSON text in the form of the OpenAI API, and no tools are null."""
    tools = converted(verifiers(**given))[0]["oai_tools"]
    assert tools is None if kept is None else tools.startswith(kept)


@pytest.mark.parametrize(
    ("row", "says"),
    {
        "failed": (vf_eval(error="timeout"), "failed-rollout: the rollout ended in an error (timeout)"),
        "failed, as object": (verifiers(error={"error": "ModelError"}), "failed-rollout"),
        "no layout": (
            {**vf_eval(), "trajectory": None},
            "unknown-layout: it has answer, completion, example_id, generation_ms, info",
        ),
        "no completion": (synthesize(completion=None), "unknown-layout"),
        "fewer steps": (vf_eval(trajectory=[step("first")]), "trajectory-mismatch: its trajectory has 1 step for 2"),
        "text completion": (synthesize(completion="A"), "not-messages: its completion"),
        "tool call": (
            synthesize(completion=[{"role": "assistant", "content": "", "tool_calls": ["{}"]}]),
            "tool-call: evals rows have no place",
        ),
        "no module": (synthesize(info={**INFO, "module_name": None}), "no-info"),
        "broken info": (synthesize(info="{"), "broken-json"),
        "reward in words": (synthesize(reward="high"), "not-a-number: its reward is 'high'"),
        "id in words": (synthesize(example_id="a7"), "not-a-number: its example_id is 'a7'"),
        "half an id": (synthesize(example_id=0.5), "not-a-number: its example_id is 0.5"),
    }.values(),
)
def test_a_row_that_cannot_be_converted(row: dict[str, Any], says: str) -> None:
    """It is an error that names the row and what is wrong, or it is dropped for that reason."""
    Path("bad.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, "example_id": row["example_id"]}) + "\n")
    ds = kb.load("bad.jsonl")
    with pytest.raises(kb.errors.RowError) as caught:
        kb.ConvertRollouts()(ds)
    assert "2 of 2 rows cannot be converted" in str(caught.value)
    assert says in str(caught.value)
    result = kb.ConvertRollouts(on_error="drop").run(ds)
    assert result.dropped_counts() == {says.partition(":")[0]: 2}
    assert result.dataset.column_names == COLUMNS


def test_other_columns_are_no_rollouts() -> None:
    """A dataset of another kind is refused before its first row, with the columns that it has."""
    ds = datasets.Dataset.from_dict({"question": ["q"], "reply": ["a"]})
    with pytest.raises(kb.errors.SchemaError, match=r"not rollouts: the columns are question \(string\), reply"):
        kb.ConvertRollouts()(ds)


def test_an_empty_error_is_none_and_nan_is_no_reward() -> None:
    """As programs write that have no null; a reward that is not a number would win or lose every comparison."""
    row = {**synthesize(reward=float("nan"), error=""), "speedup_reward": float("inf")}
    assert {"reward": None, "speedup_reward": None}.items() <= converted(row)[0].items()
