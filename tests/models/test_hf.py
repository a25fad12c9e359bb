"""A real small model, end to end on the CPU."""

import pytest

from kbtools.models import (
    JsonContract,
    Kind,
    Repairing,
    Sampling,
    chat,
    parse_replies,
    plan_requests,
    resolve_model,
    run_requests,
)
from tests.small_model import weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    backend = resolve_model(f"hf:{weights()}")
    yield backend
    backend.close()


def test_a_small_model_answers(model, store):
    """Greedy replies with usage and logprobs are stored, and the second run needs no model."""
    sampling = Sampling(temperature=0, max_tokens=12, logprobs=True, top_logprobs=3)
    questions = ["What is the capital of France?", "Say hello."]
    requests = [chat(model.model, [{"role": "user", "content": text}], sampling=sampling) for text in questions]
    progress = run_requests(requests, model, store)
    assert (progress.done, progress.failed) == (2, 0)
    reading = store.reply(requests[0].key).reading()
    assert "Paris" in reading.text
    assert len(reading.logprobs) == reading.usage.completion <= 12
    assert all(len(token.top) == 3 for token in reading.logprobs)
    assert plan_requests(requests, model, store).to_send == 0


def test_what_a_small_model_gets_wrong_is_a_failure(model, store):
    """A reply that is not JSON gets its repair, and fails by its own kind; a prompt too long is not cut."""
    contract = JsonContract({"properties": {"n": {"type": "integer", "minimum": 10**6}}, "required": ["n"]})
    sampling = Sampling(temperature=0, max_tokens=40)
    texts = ["Say hello.", "word " * 20_000]
    requests = [chat(model.model, [{"role": "user", "content": text}], sampling=sampling) for text in texts]
    progress = run_requests(requests, model, store, review=Repairing(contract))
    short, long = parse_replies(contract, requests, store)
    assert short.failure.kind in (Kind.INVALID, Kind.TRUNCATED)
    assert short.raw
    assert long.failure.kind is Kind.CONTEXT_LENGTH
    assert progress.failed == 2


def test_seeds_are_repeatable(model, store):
    """Sampled replies come again with the same seed, and differ between samples."""
    sampling = Sampling(temperature=1.5, max_tokens=16, seed=7)
    message = [{"role": "user", "content": "Tell me a story."}]
    requests = [chat(model.model, message, sampling=sampling, sample=i) for i in range(2)]
    run_requests(requests, model, store)
    first = [store.reply(request.key).reading().text for request in requests]
    with store.transaction() as connection:
        connection.execute("DELETE FROM replies")
    run_requests(requests, model, store)
    assert [store.reply(request.key).reading().text for request in requests] == first
    assert first[0] != first[1]
