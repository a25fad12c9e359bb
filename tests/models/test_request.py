"""Keys of requests: what changes them and what does not."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbtools.models import Request, Sampling, chat
from kbtools.models.request import (
    canonical_json,
    estimated_prompt_tokens,
    most_prompt_tokens,
    request_from_canonical,
)

BASE = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def test_key_is_sha256_of_canonical_json():
    """The key can be recomputed by anybody from the canonical text."""
    request = chat(**BASE)
    assert request.key == hashlib.sha256(request.canonical().encode()).hexdigest()
    assert request.canonical() == canonical_json(json.loads(request.canonical()))
    assert json.loads(request.canonical())["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"messages": [{"role": "system", "content": "hello"}]},
        {"messages": [{"role": "user", "content": "hello "}]},
        {"sampling": Sampling(temperature=0.0)},
        {"sampling": Sampling(extra={"top_k": 5})},
        {"response_format": {"type": "json_object"}},
        {"sample": 1},
    ],
    ids=str,
)
def test_every_part_of_a_request_is_in_its_key(change):
    """A request that differs in any part is another request."""
    assert chat(**BASE).key != chat(**{**BASE, **change}).key


def test_order_of_fields_is_not_in_the_key():
    """Equal mappings written in another order are the same request."""
    one = chat(**BASE, response_format={"type": "json_schema", "json_schema": {"a": 1, "b": 2}})
    two = chat(**BASE, response_format={"json_schema": {"b": 2, "a": 1}, "type": "json_schema"})
    assert one == two
    assert hash(one) == hash(two)


def test_what_a_request_follows_is_not_in_the_key():
    """The messages of a follow-up already hold what it follows."""
    request = chat(**BASE)
    assert request.key == Request(request.terms, request.messages, follows="abc").key


def test_seed_moves_with_the_sample():
    """Samples with one seed would all be equal."""
    request = chat(**BASE, sampling=Sampling(seed=42), sample=3)
    assert request.terms.wire_sampling(request.sample)["seed"] == 45


@given(st.text(), st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)), st.integers(0, 9))
def test_canonical_json_gives_back_the_request(content, extra, sample):
    """Nothing is lost between a request and its canonical text, lone surrogates included."""
    sampling = Sampling(extra={f"x{name}": value for name, value in extra.items()})
    request = chat("m", [{"role": "user", "content": content + "\ud800"}], sampling=sampling, sample=sample)
    assert request_from_canonical(request.canonical()).key == request.key


def test_estimate_is_below_the_bound():
    """What a dry run shows is never more than what a budget reserves."""
    request = chat("m", [{"role": "user", "content": "x = torch.relu(y)\n" * 50}])
    assert 200 < estimated_prompt_tokens(request) < most_prompt_tokens(request)
