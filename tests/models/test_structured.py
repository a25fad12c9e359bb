"""From replies to fields: what fits, what is repaired, what fails and how."""

import json
import pickle

import pytest

from kbtools.errors import UsageError
from kbtools.models import (
    Invalid,
    JsonContract,
    Kind,
    Options,
    Repairing,
    TagContract,
    parse_replies,
    plan_requests,
    run_requests,
)
from kbtools.models.contract import understood
from kbtools.models.reading import Reading
from kbtools.models.schema import validator

SCHEMA = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "difficulty": {"enum": ["low", "medium", "high"]},
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
    },
    "required": ["reason", "difficulty", "score"],
    "additionalProperties": False,
}
GOOD = {"reason": "r", "difficulty": "low", "score": 3}
JSON = JsonContract(SCHEMA)
TAGS = TagContract(
    {"properties": {"difficulty": {"enum": ["low", "high"]}, "score": {"type": "integer", "maximum": 10}}}
)


@pytest.mark.parametrize("front", ["", "Here it is: ", 'Maybe {"score": 9}.\n', "if (x) { y }\n", '"{" is a brace:\n'])
@pytest.mark.parametrize("text", [json.dumps(GOOD), f"  {json.dumps(GOOD)}\n", f"```json\n{json.dumps(GOOD)}\n```"])
@pytest.mark.parametrize(
    "behind", ["", "\nI hope this helps!", '\nNot {"score": 9}, that is.', "\n\n- x[1] and f{y}\n"]
)
def test_json_that_fits(front, text, behind):
    """All of the reply or with words on either side, in a fence or not; other objects count only if they fit."""
    assert JSON.parse(front + text + behind) == GOOD


def test_what_a_model_thinks_behind_its_verdict_is_no_verdict():
    """Whether or not that reasoning is closed; a mark that is only mentioned hides nothing."""
    high = json.dumps({**GOOD, "difficulty": "high"})
    for text in (
        f"{json.dumps(GOOD)}\n<think>or {high}",
        f"So: {json.dumps(GOOD)}\n<think>or {high}",
        f"I do not <think>: {json.dumps(GOOD)}",
        f"<think>{high}</think>So: {json.dumps(GOOD)}\nDone.",
        f"{high}\n</think>\n{json.dumps(GOOD)}\nDone.",
        json.dumps(GOOD | {"reason": "</think> <think>"}) + " Done.",
    ):
        found = understood(JSON, Reading(text=text))
        assert isinstance(found, dict), (text, found)
        assert found["difficulty"] == "low", text


def test_the_last_object_that_fits_counts():
    """Drafts are written first; what stands within lists and other objects is no verdict of its own."""
    draft = {**GOOD, "difficulty": "high"}
    for text in (
        f"{json.dumps(draft)}\nOn reflection:\n{json.dumps(GOOD)}",
        f"```json\n{json.dumps(draft)}\n```\nor better\n```json\n{json.dumps(GOOD)}\n```\nDone.",
        f'{json.dumps(draft)} {json.dumps(GOOD)} {{"note": {json.dumps(draft)}}}',
        f"{json.dumps(GOOD)} and for others [{json.dumps(draft)}, {json.dumps(draft)}]",
        f"\\boxed{{{json.dumps(GOOD)}}}",
        f"{{ 'score': {json.dumps(draft)} }} is wrong, {json.dumps(GOOD)} right",
        f'{{"score": 3, "score": {json.dumps(draft)}}} twice, so {json.dumps(GOOD)}',
    ):
        assert JSON.parse(text) == GOOD, text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("The score is 3", "not JSON"),
        (f"Here it is: {json.dumps(GOOD)[:-1]} I hope", "not JSON"),
        (f'{json.dumps(GOOD)} or {{"reason": "cut', "not JSON"),
        (f"Both: [{json.dumps(GOOD)}, {json.dumps(GOOD)}]", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (f"Here: {json.dumps({**GOOD, 'score': 11})} Done.", "less than or equal to 10"),
        (f'{{"draft": {json.dumps(GOOD)}', "not JSON"),
        ("[1]", "a JSON list, not an object"),
        (json.dumps({**GOOD, "score": "3"}), "score: Input should be a valid integer"),
        (json.dumps({**GOOD, "score": 3.0}), "score: Input should be a valid integer"),
        (json.dumps({**GOOD, "score": True}), "score: Input should be a valid integer"),
        (json.dumps({**GOOD, "score": 11}), "less than or equal to 10"),
        (json.dumps({**GOOD, "score": None}), "score"),
        (json.dumps({**GOOD, "difficulty": "Low"}), "'low', 'medium' or 'high'"),
        (json.dumps({"reason": "r", "score": 3}), "difficulty: Field required"),
        (json.dumps({**GOOD, "more": 1}), "more: Extra inputs"),
        ('{"reason": "r", "difficulty": "low", "score": 3, "score": 9}', "twice"),
        ('{"reason": "r", "difficulty": "low", "score": NaN}', "NaN is not"),
        ('{"reason": "r", "difficulty": "low", "score": 1e999}', "1e999 is more than"),
    ],
)
def test_json_that_does_not_fit(text, why):
    """Nothing is coerced, chosen from or filled in; the message says what is wrong."""
    with pytest.raises(Invalid, match=why):
        JSON.parse(text)


def test_tags_that_fit():
    """Values are read as their declared types, in whatever text is around them."""
    text = "It copies.\n<difficulty> low </difficulty> and <score>7</score>."
    assert TAGS.parse(text) == {"difficulty": "low", "score": 7}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<difficulty>low</difficulty>", "0 <score>"),
        ("<difficulty>low</difficulty><difficulty>low</difficulty><score>1</score>", "2 <difficulty>"),
        ("<difficulty>easy</difficulty><score>1</score>", "difficulty"),
        ("<difficulty>low</difficulty><score>7.5</score>", "valid integer"),
        ("<difficulty>low</difficulty><score>11</score>", "less than or equal"),
        ("<difficulty>low<score>1</score>", "0 <difficulty>"),
    ],
)
def test_tags_that_do_not_fit(text, why):
    """Missing, repeated, unclosed and unreadable tags are errors."""
    with pytest.raises(Invalid, match=why):
        TAGS.parse(text)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (
            {"type": "object", "properties": {"a": {"type": "string", "format": "date"}}},
            "unsupported keywords .'format'",
        ),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "type is 'text'"),
        ({"type": "object", "properties": {}, "required": ["b"]}, "'b'.* not declared"),
    ],
)
def test_a_schema_that_cannot_be_checked_is_refused(schema, why):
    """An ignored keyword would let bad replies pass."""
    with pytest.raises(UsageError, match=why):
        validator(schema)


def test_nested_schemas():
    """Arrays, objects, alternatives and optional properties are checked all the way down."""
    part = {"type": "object", "properties": {"a-b": {"type": "number"}}}
    schema = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "minItems": 1, "items": part},
            "note": {"type": ["string", "null"]},
            "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        },
        "required": ["items", "note"],
    }  # fmt: skip
    good = JsonContract(schema).parse('{"items": [{"a-b": 1}], "note": null, "either": false}')
    assert good["items"] == [{"a-b": 1}]
    for bad in ('{"items": [], "note": null}', '{"items": [{"a-b": "x"}], "note": ""}', '{"items": [{}], "note": 1}'):
        with pytest.raises(Invalid):
            JsonContract(schema).parse(bad)


@pytest.mark.parametrize(
    ("value", "fits"), [("1", True), ("2", False), ("true", False), ("1.0", False), ('"1"', False)]
)
def test_choices_are_not_coerced(value, fits):
    """True and 1.0 are not the number 1."""
    contract = JsonContract({"properties": {"n": {"enum": [0, 1, None]}}, "required": ["n"]})
    if fits:
        assert contract.parse(f'{{"n": {value}}}') == {"n": 1}
    else:
        with pytest.raises(Invalid, match="n: "):
            contract.parse(f'{{"n": {value}}}')


def test_contracts_travel_to_worker_processes():
    """A contract that has been used can still be pickled."""
    JSON.parse(json.dumps(GOOD))
    assert pickle.loads(pickle.dumps(JSON)) == JSON


def asked(ask, count):
    return ask(count, response_format=JSON.response_format("difficulty"))


def test_a_server_with_schema_support_needs_no_repair(serve, store, ask):
    """The response format is sent, and the reply is validated anyway."""
    server, backend = serve()
    run_requests(asked(ask, 20), backend, store, review=Repairing(JSON))
    rows = parse_replies(JSON, asked(ask, 20), store)
    assert len(server.log) == 20
    assert all(row.failure is None and set(row.fields) == set(GOOD) for row in rows)


def test_an_invalid_reply_gets_one_repair_request(serve, store, ask):
    """The model is shown its reply and the error; the repaired fields are used, and both calls are counted."""
    bodies = []

    def reply(body):
        bodies.append(body)
        return json.dumps(GOOD) if len(body["messages"]) == 3 else '{"score": "high"}'

    _, backend = serve(reply=reply)
    progress = run_requests(asked(ask, 1), backend, store, review=Repairing(JSON))
    assert (progress.sent, progress.follow_ups, progress.failed) == (2, 1, 0)
    assert bodies[1]["messages"][1] == {"role": "assistant", "content": '{"score": "high"}'}
    assert "reason: Field required" in bodies[1]["messages"][2]["content"]
    assert parse_replies(JSON, asked(ask, 1), store)[0].fields == GOOD
    assert run_requests(asked(ask, 1), backend, store, review=Repairing(JSON)).sent == 0


def test_an_invalid_repair_is_a_failure_with_its_raw_text(serve, store, ask):
    """There is one repair, then the row has failed; the next run repeats the repair alone."""
    _, backend = serve(script=lambda call: "wrong-schema")
    progress = run_requests(asked(ask, 3), backend, store, review=Repairing(JSON))
    assert (progress.sent, dict(progress.failures)) == (6, {"invalid": 3})
    row = parse_replies(JSON, asked(ask, 3), store)[0]
    assert (row.fields, row.failure.kind, row.raw) == (None, Kind.INVALID, '{"unexpected": "fields"}')
    assert plan_requests(asked(ask, 3), backend, store, review=Repairing(JSON)).to_send == 3
    assert run_requests(asked(ask, 3), backend, store, review=Repairing(JSON)).sent == 3


def test_a_repair_is_resumed(serve, store, ask):
    """A run that ended between a reply and its repair goes on with the repair."""
    _, backend = serve(script=lambda call: "wrong-schema" if call.seen == 0 and call.prompt == "row 0" else "ok")
    run_requests(asked(ask, 1), backend, store)
    assert plan_requests(asked(ask, 1), backend, store, review=Repairing(JSON)).to_send == 1
    assert run_requests(asked(ask, 1), backend, store, review=Repairing(JSON)).sent == 1
    assert parse_replies(JSON, asked(ask, 1), store)[0].failure is None


@pytest.mark.parametrize(("fault", "kind"), [("length", Kind.TRUNCATED), ("content-filter", Kind.CONTENT_FILTER)])
def test_cut_replies_are_failures_of_their_own_kind(serve, store, ask, fault, kind):
    """A truncated reply is not repaired, since the repair would be cut too."""
    server, backend = serve(script=lambda call: fault)
    run_requests(asked(ask, 1), backend, store, review=Repairing(JSON))
    row = parse_replies(JSON, asked(ask, 1), store)[0]
    assert (row.failure.kind, len(server.log)) == (kind, 1)
    assert "reas" in row.reply.raw


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        (f"<think>maybe high</think>{json.dumps(GOOD)}", False),
        (f"<think></think>\n<think>x</think>{json.dumps(GOOD)}", False),
        (f"<think>never closed {json.dumps(GOOD)}", True),
        ("<think>only thoughts</think>  ", True),
    ],
)
def test_inline_thinking_is_not_the_answer(serve, store, ask, text, fails):
    """Models whose server does not separate reasoning are understood."""
    _, backend = serve(reply=lambda body: text)
    run_requests(ask(1), backend, store)
    assert (parse_replies(JSON, ask(1), store)[0].failure is not None) == fails


def test_a_row_without_reply_says_so(store, ask):
    """Replaying before the requests are run is an error of its own kind."""
    assert parse_replies(JSON, ask(1), store)[0].failure.kind is Kind.MISSING


def test_rows_are_settled_in_order(serve, store, ask):
    """Settling in batches gives the rows in order, whatever the order of the replies."""
    _, backend = serve()
    run_requests(reversed(asked(ask, 1200)), backend, store, Options(max_in_flight=200))
    rows = parse_replies(JSON, asked(ask, 1200), store)
    assert [row.request.key for row in rows] == [request.key for request in asked(ask, 1200)]
    assert all(row.fields for row in rows)
