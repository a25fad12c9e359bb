"""The stage `strip-reasoning`: on which columns it works, in which forms, and what becomes of rows with errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

import kbtools as kb
from kbtools.data.conversations.fields import REASONING_FIELDS
from kbtools.testing import check_stage
from tests.rows import EVALS, evals_row, made_of

TEXT = datasets.Value("string")
GOOD = "<think>r</think>\n<answer>\n  A\n</answer>"
BARE = "<answer>\n  A\n</answer>"
CUT = "<think>r"
TWO = "<answer>A</answer><answer>B</answer>"


def rollouts(*contents: str | None) -> datasets.Dataset:
    """Evals rows of one assistant turn each, with these contents."""
    rows = [evals_row(i, "A", 1.0) for i in range(len(contents))]
    for row, content in zip(rows, contents, strict=True):
        row["completion"][0]["content"] = content
    return made_of(rows, EVALS)


def turns(*messages: dict[str, Any]) -> datasets.Dataset:
    """One conversation."""
    return datasets.Dataset.from_list([{"messages": list(messages)}])


def contents(ds: datasets.Dataset) -> list[str | None]:
    """The content of each row's first completion message."""
    return [row[0]["content"] for row in ds["completion"]]


def test_completions_keep_the_answer_and_lose_the_reasoning() -> None:
    """Inline reasoning and the field beside the content go; every other column stays as it was."""
    ds = rollouts(GOOD, BARE)
    out = check_stage(kb.StripReasoning(), ds)
    assert contents(out) == [BARE, BARE]
    assert out.features["completion"] == datasets.List({"role": TEXT, "content": TEXT})
    assert out.remove_columns("completion").to_list() == ds.remove_columns("completion").to_list()


def test_the_sample_is_stripped_without_trouble() -> None:
    """Every format of the embedded sample has one certain answer, and a second pass would find nothing to do."""
    once = check_stage(kb.StripReasoning(), kb.load("sample"))
    assert once.num_rows == kb.load("sample").num_rows
    assert all("<think>" not in text and "_PYTHON" not in text for text in contents(once))
    assert kb.StripReasoning(tag="optional")(once).to_list() == once.to_list()


@pytest.mark.parametrize("form", ["struct", "json", "sharegpt"])
@pytest.mark.parametrize("wrapper", ["provider_specific_fields", "additional_kwargs", "model_extra"])
def test_reasoning_in_a_field_of_a_gateway_is_lost_as_well(wrapper: str, form: str) -> None:
    """What else that field holds stays; one that holds nothing else goes."""
    for more in ({"id": "x"}, {}):
        said = {"role": "assistant", "content": "A", wrapper: {"reasoning_content": "secret", **more}}
        if form == "sharegpt":
            said = {"from": "gpt", "value": "A", wrapper: said[wrapper]}
        given = [said] if form != "json" else json.dumps([said])
        ds = datasets.Dataset.from_list([{"messages": given}])
        out = check_stage(kb.StripReasoning(tag="optional"), ds)
        assert "secret" not in str(out[0])
        kept = out[0]["messages"] if form != "json" else json.loads(out[0]["messages"])
        assert kept == [{**{name: said[name] for name in said if name != wrapper}, **({wrapper: more} if more else {})}]


def test_tags_can_be_dropped() -> None:
    """`unwrap` leaves the inner bytes alone."""
    assert contents(kb.StripReasoning(unwrap=True)(rollouts(GOOD))) == ["\n  A\n"]


def test_rules_reach_the_texts() -> None:
    """`tag` and `answer` mean what they mean for single texts."""
    stage = kb.StripReasoning(tag="optional", answer="last")
    assert contents(stage(rollouts("<think>r</think>A", TWO))) == ["A", "<answer>B</answer>"]


def test_text_without_marks_is_counted_where_it_may_stay() -> None:
    """By default text without answer marks is an error of its own; where tags are optional a note counts the rows."""
    ds = rollouts(GOOD, "I cannot do that.", "<thinking>r</thinking>A")
    with pytest.raises(kb.errors.RowError, match="2 x no-answer-tag"):
        kb.StripReasoning()(ds)
    result = kb.StripReasoning(tag="optional").run(ds)
    assert contents(result.dataset) == [BARE, "I cannot do that.", "A"]
    assert result.notes == ("rows with neither reasoning nor marks of an answer, whose text stays as it is: 1",)


def test_sharegpt_is_read_and_stays_sharegpt() -> None:
    """Turns of from and value are stripped in place, as lists and as JSON; calls and other speakers stay."""
    said = [
        {"from": "human", "value": CUT},
        {"from": "gpt", "value": GOOD},
        {"from": "observation", "value": CUT},
        {"from": "GPT", "value": f"[THINK]s[/THINK]{BARE}"},
    ]
    kept = [{**turn, "value": BARE} if turn["from"].lower() == "gpt" else turn for turn in said]
    assert check_stage(kb.StripReasoning(), datasets.Dataset.from_list([{"conversations": said}])).to_list() == [
        {"conversations": kept}
    ]
    encoded = kb.StripReasoning()(datasets.Dataset.from_dict({"conversations": [json.dumps(said)]}))
    assert json.loads(encoded[0]["conversations"]) == kept
    with pytest.raises(kb.errors.RowError, match="1 x no-assistant-turn"):
        kb.StripReasoning()(datasets.Dataset.from_list([{"conversations": said[:1]}]))


def test_every_assistant_turn_of_messages_is_stripped() -> None:
    """A `messages` column is found by itself; users may write tags."""
    user = {"role": "user", "content": CUT}
    ds = turns(user, {"role": "assistant", "content": GOOD}, user, {"role": "assistant", "content": GOOD})
    assert [turn["content"] for turn in check_stage(kb.StripReasoning(), ds)[0]["messages"]] == [CUT, BARE, CUT, BARE]


@pytest.mark.parametrize("field", REASONING_FIELDS)
def test_fields_of_reasoning_leave_the_schema(field: str) -> None:
    """However the reasoning's field is called, no row and no feature keeps it."""
    ds = turns({"role": "assistant", "content": BARE, "name": "m", field: "r"})
    out = check_stage(kb.StripReasoning(), ds)
    assert out[0]["messages"] == [{"role": "assistant", "content": BARE, "name": "m"}]


def test_a_tool_call_needs_no_answer() -> None:
    """Null content is fine beside a call, and an error without one."""
    call = {"role": "assistant", "content": None, "tool_calls": ["{}"]}
    answer = {"role": "assistant", "content": GOOD, "tool_calls": None}
    out = check_stage(kb.StripReasoning(), turns(call, answer))
    assert [turn["content"] for turn in out[0]["messages"]] == [None, BARE]
    with pytest.raises(kb.errors.RowError, match="1 x null-content"):
        kb.StripReasoning()(turns({**call, "tool_calls": []}))


def test_encoded_messages_stay_encoded() -> None:
    """A column of JSON text is read as messages and stays JSON text."""
    messages = [{"role": "user", "content": CUT}, {"role": "assistant", "content": GOOD, "reasoning": "r"}]
    ds = datasets.Dataset.from_dict({"messages": [json.dumps(messages)]})
    out = check_stage(kb.StripReasoning(), ds)
    assert json.loads(out[0]["messages"]) == [messages[0], {"role": "assistant", "content": BARE}]


def test_broken_json_is_no_plain_text() -> None:
    """Messages that were cut are an error, though their text holds an answer."""
    text = json.dumps([{"role": "assistant", "content": GOOD}])[:-1]
    with pytest.raises(kb.errors.RowError, match="1 x not-messages"):
        kb.StripReasoning()(datasets.Dataset.from_dict({"messages": [text]}))


def test_content_in_parts() -> None:
    """Content given as a list of parts stays one."""
    ds = turns({"role": "assistant", "content": [{"type": "text", "text": GOOD}], "reasoning": "r"})
    out = check_stage(kb.StripReasoning(), ds)
    assert out[0]["messages"] == [{"role": "assistant", "content": [{"type": "text", "text": BARE}]}]


def test_plain_text_and_the_reasoning_beside_it() -> None:
    """A text column is stripped in place; a column of its reasoning goes, and a note says so."""
    ds = datasets.Dataset.from_dict({"response": [GOOD, BARE], "reasoning": ["r", None], "n": [1, 2]})
    result = kb.StripReasoning().run(ds)
    assert result.dataset.to_list() == [{"response": BARE, "n": 1}, {"response": BARE, "n": 2}]
    assert result.notes == ("column 'reasoning' holds reasoning and was dropped",)


def test_any_column_can_be_named() -> None:
    """A path may be nested, and null structs stay null."""
    rows = [{"info": {"reply": GOOD, "n": 1}}, {"info": {"reply": BARE, "n": 2}}]
    out = check_stage(kb.StripReasoning(column="info.reply"), datasets.Dataset.from_list(rows))
    assert out["info"][:] == [{"reply": BARE, "n": 1}, {"reply": BARE, "n": 2}]


def test_a_view_is_stripped_in_its_order() -> None:
    """Rows that a stage before has chosen and sorted keep their places."""
    ds = rollouts(*(f"<think>r</think><answer>{i}</answer>" for i in range(10))).select([7, 2, 9])
    assert contents(kb.StripReasoning()(ds)) == [f"<answer>{i}</answer>" for i in (7, 2, 9)]


def test_slices_and_empty_lists_keep_their_rows_apart() -> None:
    """Rows of no, one and several turns are put together again with their own turns."""
    conversations = [[], [("assistant", "A")], [("user", "u"), ("assistant", "<think>r</think><answer>B</answer>")], []]
    rows = [{"messages": [{"role": role, "content": text} for role, text in turns]} for turns in conversations]
    ds = datasets.Dataset.from_list(rows * 3).select(range(1, 11))
    out = kb.StripReasoning(on_error="keep")(ds)
    expected = [len(conversations[i % 4]) for i in range(1, 11)]
    assert [len(row) for row in out["messages"]] == expected
    assert out["messages"][1][1]["content"] == "<answer>B</answer>"


# ---- rows with errors ------------------------------------------------------------------------------------------------


def test_trouble_is_an_error_with_counts_rows_and_kinds() -> None:
    """By default nothing is decided for the user: the message counts the kinds, names rows and says what to do."""
    with pytest.raises(kb.errors.RowError) as caught:
        kb.StripReasoning()(rollouts(GOOD, CUT, TWO, CUT))
    message = str(caught.value)
    assert "3 of 4 rows have no certain answer in 'completion': 2 x unclosed-think, 1 x answers-differ." in message
    assert "row 1 (example_id 101): unclosed-think: a <think> is never closed" in message
    assert "(at message 0, character 0)" in message
    assert "on_error='drop'" in message


def test_trouble_can_empty_the_content() -> None:
    """With `null` the content is null and a column says why; other turns are stripped all the same."""
    result = kb.StripReasoning(on_error="null").run(rollouts(GOOD, CUT, None))
    check_stage(kb.StripReasoning(on_error="null"), rollouts(GOOD, CUT, None))
    assert contents(result.dataset) == [BARE, None, None]
    assert result.dataset["completion_error"][:] == [None, "unclosed-think", "null-content"]
    assert {failure.kind: failure.count for failure in result.failed} == {"unclosed-think": 1, "null-content": 1}
    ds = turns({"role": "assistant", "content": GOOD}, {"role": "assistant", "content": CUT})
    assert [turn["content"] for turn in kb.StripReasoning(on_error="null")(ds)[0]["messages"]] == [BARE, None]


def test_the_error_column_is_written_anew() -> None:
    """A second pass replaces the first one's verdicts, but no column of other values."""
    stage = kb.StripReasoning(on_error="null")
    assert stage(stage(rollouts(CUT)))["completion_error"][:] == ["null-content"]
    with pytest.raises(kb.errors.SchemaError, match="'completion_error' is to hold the kinds of errors"):
        stage(rollouts(CUT).add_column("completion_error", [1]))


def test_trouble_can_be_kept() -> None:
    """With `keep` the whole row's contents stay as they were, and the kinds are counted."""
    both = turns({"role": "assistant", "content": GOOD}, {"role": "assistant", "content": CUT})
    result = kb.StripReasoning(on_error="keep").run(both)
    check_stage(kb.StripReasoning(on_error="keep"), both)
    assert [turn["content"] for turn in result.dataset[0]["messages"]] == [GOOD, CUT]
    assert result.failed[0].kind == "unclosed-think"


def test_trouble_can_be_dropped() -> None:
    """With `drop` the rows go, each for a reason that is its kind, as they came."""
    stage = kb.StripReasoning(on_error="drop")
    result = stage.run(rollouts(GOOD, CUT, TWO, BARE))
    check_stage(stage, rollouts(GOOD, CUT, TWO, BARE))
    assert result.dataset["example_id"][:] == [100, 103]
    assert result.dropped_counts() == {"unclosed-think": 1, "answers-differ": 1}
    assert result.dropped[0].rows["completion"][0][0]["content"] == CUT


@pytest.mark.parametrize("on_error", ["null", "keep", "drop"])
@pytest.mark.parametrize("column", ["text", "messages", "encoded"])
def test_every_form_of_column_knows_every_outcome(on_error: str, column: str) -> None:
    """Texts, lists and JSON alike: the good row is stripped, the bad one nulled, kept or dropped."""
    messages = [[{"role": "assistant", "content": text}] for text in (GOOD, CUT)]
    values = {"text": [GOOD, CUT], "messages": messages, "encoded": [json.dumps(row) for row in messages]}[column]
    ds = datasets.Dataset.from_dict({"messages": values})
    result = kb.StripReasoning(on_error=on_error).run(ds)
    found = [_text(value) for value in result.dataset["messages"]]
    assert found == [BARE] + {"null": [None], "keep": [CUT], "drop": []}[on_error]
    assert result.failed[0].count == 1


def _text(value: Any) -> str | None:
    if isinstance(value, str) and value.startswith("["):
        value = json.loads(value)
    return value[0]["content"] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("value", "kind"),
    {
        "null": (None, "null-value"),
        "nobody answers": ([{"role": "user", "content": "A"}], "no-assistant-turn"),
        "empty": ([], "no-assistant-turn"),
        "no role": ([{"role": None, "content": "A"}, {"role": "assistant", "content": "A"}], "not-messages"),
    }.values(),
)
def test_rows_that_are_no_conversation(value: Any, kind: str) -> None:
    """Null, empty and nameless conversations are troubles of their own kinds, beside good rows."""
    features = datasets.Features({"messages": datasets.List({"role": TEXT, "content": TEXT})})
    good = [{"role": "assistant", "content": GOOD}]
    ds = datasets.Dataset.from_dict({"messages": [good, value, good]}, features=features)
    result = kb.StripReasoning(on_error="drop").run(ds)
    assert result.dropped_counts() == {kind: 1}
    assert [row[0]["content"] for row in result.dataset["messages"]] == [BARE, BARE]


@pytest.mark.parametrize("role", ["Assistant", "model", "gpt"])
def test_columns_of_messages_know_the_other_names_of_the_assistant(role: str) -> None:
    """Each turn keeps the name that it has."""
    features = datasets.Features({"messages": datasets.List({"role": TEXT, "content": TEXT})})
    turns = [{"role": "human", "content": "<think>Q"}, {"role": role, "content": GOOD}]
    out = kb.StripReasoning()(datasets.Dataset.from_dict({"messages": [turns]}, features=features))
    assert out["messages"][0] == [turns[0], {"role": role, "content": BARE}]


@pytest.mark.parametrize("names", [("role", "content"), ("from", "value")])
def test_a_column_in_which_no_speaker_is_named_is_no_conversation(names: tuple[str, str]) -> None:
    """The type of such a field is null, and Arrow takes it for no text."""
    who, what = names
    features = datasets.Features({"messages": datasets.List({who: datasets.Value("null"), what: TEXT})})
    ds = datasets.Dataset.from_dict({"messages": [[{who: None, what: GOOD}], []]}, features=features)
    result = kb.StripReasoning(on_error="drop").run(ds)
    assert result.dropped_counts() == {"not-messages": 1, "no-assistant-turn": 1}


def test_the_result_is_not_taken_from_the_cache_of_other_rules() -> None:
    """Stages that differ in one field have results of their own."""
    ds = rollouts(GOOD)
    assert contents(kb.StripReasoning()(ds)) != contents(kb.StripReasoning(unwrap=True)(ds))


def test_splits_are_stripped_alike() -> None:
    """A DatasetDict keeps its splits, and troubles of all of them are counted together."""
    splits = datasets.DatasetDict({"train": rollouts(GOOD, CUT), "validation": rollouts(CUT)})
    result = kb.StripReasoning(on_error="drop").run(splits)
    assert {name: ds.num_rows for name, ds in result.dataset.items()} == {"train": 1, "validation": 0}
    assert result.dropped_counts() == {"unclosed-think": 2}


def test_an_ambiguous_column_must_be_named() -> None:
    """With two candidate columns the stage asks which one is meant."""
    ds = datasets.Dataset.from_dict({"completion": [GOOD], "response": [GOOD]})
    with pytest.raises(kb.errors.SchemaError, match="may be any of completion, response"):
        kb.StripReasoning()(ds)
    assert kb.StripReasoning(column="response")(ds).to_list() == [{"completion": GOOD, "response": BARE}]


@pytest.mark.parametrize("model", ["deepseek_r1", "gpt4o"])
def test_answers_that_nobody_here_wrote_are_left_alone(shared_data: Path, model: str) -> None:
    """Published answers without any mark of reasoning come out as they went in."""
    ds = kb.load(str(shared_data / f"tritonbench_t_{model}.jsonl"))
    assert kb.StripReasoning(column="predict", tag="optional")(ds)["predict"][:] == ds["predict"][:]
