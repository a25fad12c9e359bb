"""The boundary never raises: whatever JSON, bytes or headers come, there is a typed answer that keeps them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbtools.data.writable import broken_character
from kbtools.models import Kind, Reply, ResponseStore
from kbtools.models.backends.received import received, received_text
from kbtools.models.contract import JsonContract, Repairing, TagContract, parsed
from kbtools.models.reading import MOST, read_text
from kbtools.models.request import chat
from tests.models.replay_table import CALL, ERROR_IN_CHOICE, GOOD, LOGPROBS, RESPONSE
from tests.servers.behaviours import completion

WHOLE: list[dict[str, Any]] = [
    {**completion(GOOD, reasoning="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm"}]), "error": None},
    completion([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": GOOD}], refusal=None),
    completion(None, "tool_calls", tool_calls=CALL),
    LOGPROBS,
    ERROR_IN_CHOICE,
    RESPONSE,
    {"error": {"message": "no", "type": "invalid_request_error", "param": "temperature", "code": 400}},
    {"detail": [{"loc": ["body", "temperature"], "msg": "extra fields not permitted"}]},
]
OTHERS = st.sampled_from([
    None, True, 0, -1, 5, 1.5, 10**40, float("nan"), float("inf"), "", "text", "\ud83d", [], {}, [None], {"x": 1}, [[]],
    [{"type": "text"}], {"type": "text", "text": 5}, [GOOD], {"text": GOOD}, "length", "error", 429, "429",
])  # fmt: skip
CONTRACTS = [
    JsonContract({"type": "object", "properties": {"difficulty": {"type": "string"}}}),
    TagContract({"type": "object", "properties": {"difficulty": {"type": "string"}}}),
]


def paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from paths(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], other: object, drop: bool) -> Any:
    """The value with something else at a place, or with nothing there."""
    result = copy.deepcopy(value)
    place = result
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = other
    return result


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A reply with up to three of its places changed or gone."""
    value = draw(st.sampled_from(WHOLE))
    for _ in range(draw(st.integers(1, 3))):
        places = list(paths(value))
        if not places:
            break
        value = changed(value, draw(st.sampled_from(places)), draw(OTHERS), draw(st.booleans()))
    return json.dumps(value)


def check(store: ResponseStore, status: int, raw: bytes, content_type: str = "") -> None:
    """The answer can be stored, read again and judged, and its counts are counts."""
    answer = received(status, {"content-type": content_type}, raw)
    assert answer.kind is Kind.OK or answer.error
    assert broken_character(answer.error) is None
    assert all(count is None or 0 <= count < MOST for count in answer.usage)
    asked = chat("m", [{"role": "user", "content": "q"}])
    reply = Reply(
        asked.key, "m", "e", answer.kind, asked.canonical(), answer.raw, answer.status, answer.error, answer.usage
    )
    store.put([reply])
    again = store.reply(asked.key)
    assert again is not None
    assert (again.raw, again.usage, again.kind) == (answer.raw, answer.usage, answer.kind)
    for contract in CONTRACTS:
        outcome = parsed(contract, again)
        assert not isinstance(outcome, dict) or broken_character(outcome) is None
        Repairing(contract)(asked, again)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResponseStore]:
    """One store for all examples."""
    with ResponseStore(tmp_path_factory.mktemp("received") / "s.sqlite") as opened:
        yield opened


@given(mutated(), st.sampled_from([200, 200, 200, 202, 302, 400, 401, 404, 422, 429, 500]))
@settings(max_examples=300)
def test_any_type_at_any_place_is_read(store: ResponseStore, raw: str, status: int):
    """Types are swapped and parts left out at every place of real replies, under every status."""
    check(store, status, raw.encode("ascii"))


@given(st.sampled_from(WHOLE), st.data())
@settings(max_examples=100)
def test_cut_and_broken_bytes_are_read(store: ResponseStore, value: dict[str, Any], data: st.DataObject):
    """Bodies are cut, get other bytes, and say that they have other encodings."""
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    at = data.draw(st.integers(0, len(body)))
    body = body[:at] + data.draw(st.binary(max_size=4)) + (body[at:] if data.draw(st.booleans()) else b"")
    charset = data.draw(st.sampled_from(["", "utf-8", "latin-1", "utf-16", "no-such", "idna", "rot13", '"', "utf-7"]))
    check(store, 200, body, f"application/json; charset={charset}")


@given(st.recursive(OTHERS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)))
@settings(max_examples=100)
def test_any_json_is_read(store: ResponseStore, value: object):
    """Also what is nothing like a reply."""
    check(store, 200, json.dumps(value).encode("ascii"))


def test_a_reply_with_long_numbers_or_deep_nesting_is_no_defect():
    """Python's own limits are not a reason to lose a run."""
    assert received_text("[" * 200_000).kind is Kind.MALFORMED
    assert received_text('{"usage": {"prompt_tokens": ' + "9" * 5000 + "}}").kind is Kind.UNKNOWN_SHAPE
    assert read_text("").failure is not None
