"""Reading raw replies: chat completions and Responses API objects, with what they carry beside the text."""

import json
import re

import pytest

from kbtools.models import Sampling, run_requests
from kbtools.models.backends.http import HttpBackend
from kbtools.models.backends.wire import Dialect
from kbtools.models.kinds import Kind
from kbtools.models.reading import read_payload


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_is_kept(serve, store, ask, field):
    """Both names of the field are read."""
    _, backend = serve(reasoning_field=field)
    run_requests(ask(1), backend, store)
    assert store.reply(ask(1)[0].key).reading().reasoning.startswith("thinking about")


def test_logprobs_are_kept(serve, store, ask):
    """Alternatives come with their log probabilities."""
    requests = ask(1, sampling=Sampling(logprobs=True, top_logprobs=5))
    _, backend = serve(reply=lambda body: "C")
    run_requests(requests, backend, store)
    first = store.reply(requests[0].key).reading().logprobs[0]
    assert (first.token, len(first.top)) == ("C", 5)
    assert first.logprob == dict(first.top)["C"]


def test_responses_api(serve, store, ask):
    """A profile may ask for the Responses API; text, reasoning, usage and truncation are read the same way."""
    server, _ = serve(reasoning_field="reasoning", script=lambda call: "length" if call.prompt == "row 1" else "ok")
    backend = HttpBackend(server.url, "test-model", dialect=Dialect(api="responses"))
    sampling = Sampling(max_tokens=9, reasoning_effort="low", logprobs=True)
    requests = ask(2, sampling=sampling, response_format={"type": "json_schema", "json_schema": {"schema": {}}})
    bodies = []
    server.settings.script = lambda call: bodies.append(call) or ("length" if call.prompt == "row 1" else "ok")
    run_requests(requests, backend, store)
    whole, cut = (store.reply(request.key).reading() for request in requests)
    assert (whole.finish_reason, cut.finish_reason) == ("stop", "length")
    assert whole.text
    assert whole.reasoning == "thinking"
    assert whole.usage.completion > 0
    body = bodies[0].body
    assert (body["max_output_tokens"], body["reasoning"], body["store"]) == (9, {"effort": "low"}, False)
    assert body["text"] == {"format": {"type": "json_schema", "schema": {}}}
    assert body["include"] == ["message.output_text.logprobs"]


@pytest.mark.parametrize(
    "payload", [[], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": {"content": 5}}]}]
)
def test_what_is_no_reply_is_a_failure(payload):
    """A missing part is named, not guessed, and nothing is raised."""
    failure = read_payload(payload).failure
    assert failure.kind is Kind.UNKNOWN_SHAPE
    assert re.search("no object|no choices|no message|neither text", failure.error)


@pytest.mark.parametrize(
    ("dialect", "sent"),
    [
        (Dialect(), "json_schema"),
        (Dialect(response_format="json_object"), "json_object"),
        (Dialect(response_format="none"), None),
    ],
)
def test_response_format_follows_what_the_server_takes(ask, dialect, sent):
    """A weaker server gets a weaker format, or none, under the same key."""
    request = ask(1, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}}})[0]
    body = json.loads(dialect.body(request, "m"))
    assert (body.get("response_format") or {}).get("type") == sent
