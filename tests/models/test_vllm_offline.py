"""vLLM in this process: what it is asked for and what is made of its outputs, against a stand-in of its shape."""

import sys
from pathlib import Path

import pytest

from kbtools.errors import ConfigError, UsageError
from kbtools.models import JsonContract, Kind, Repairing, Sampling, chat, parse_replies, resolve_model, run_requests

CONTRACT = JsonContract(
    {"type": "object", "properties": {"difficulty": {"enum": ["low", "high"]}}, "required": ["difficulty"]}
)


@pytest.fixture
def vllm(monkeypatch):
    """The stand-in, imported under vLLM's name; a fresh one for each test."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "servers" / "offline"))
    for name in [name for name in sys.modules if name.split(".")[0] == "vllm"]:
        monkeypatch.delitem(sys.modules, name)
    import vllm

    yield vllm
    for name in [name for name in sys.modules if name.split(".")[0] == "vllm"]:
        del sys.modules[name]


def asked(backend, texts, **fields):
    return [chat(backend.model, [{"role": "user", "content": text}], **fields) for text in texts]


def test_schema_and_sampling_reach_the_engine(vllm, store):
    """Options, structured outputs and sampling are passed on, over the model's own defaults; replies are stored."""
    backend = resolve_model("vllm:some/model --max-model-len 500 --dtype bfloat16")
    sampling = Sampling(max_tokens=40, seed=7)
    shape = CONTRACT.response_format("difficulty")
    requests = asked(backend, ["a", "bb", "ccc"], sampling=sampling, response_format=shape)
    assert run_requests(requests, backend, store, review=Repairing(CONTRACT)).done == 3
    assert vllm.made == [{"model": "some/model", "max_model_len": 500, "dtype": "bfloat16"}]
    ((_, params), *_) = vllm.calls[0]
    assert params.structured_outputs.json == CONTRACT.schema
    assert (params.max_tokens, params.seed, params.temperature, params.logprobs) == (40, 7, 0.6, None)
    assert [row.fields["difficulty"] for row in parse_replies(CONTRACT, requests, store)] == ["high", "low", "high"]
    assert store.reply(requests[1].key).usage == (2, 1)


def test_a_reply_has_no_bound_of_its_own(vllm, store):
    """vLLM's default of 16 tokens is not taken for a limit that somebody asked for."""
    backend = resolve_model("vllm:some/model")
    run_requests(asked(backend, ["a"]), backend, store)
    assert vllm.calls[0][0][1].max_tokens is None


def test_log_probabilities_are_kept(vllm, store):
    """They are read as those of servers are."""
    backend = resolve_model("vllm:some/model")
    (request,) = asked(backend, ["a"], sampling=Sampling(logprobs=True, top_logprobs=2))
    run_requests([request], backend, store)
    (token,) = store.reply(request.key).reading().logprobs
    assert (token.token, len(token.top)) == ("a reply", 2)


def test_one_prompt_too_long_fails_alone(vllm, store):
    """vLLM rejects a whole call for one of its prompts; the others are answered all the same."""
    backend = resolve_model("vllm:some/model --max-model-len 20")
    requests = asked(backend, [*(f"row {i}" for i in range(9)), "x" * 50])
    progress = run_requests(requests, backend, store)
    assert (progress.done, dict(progress.failures)) == (9, {"context-length": 1})
    assert store.reply(requests[-1].key).kind is Kind.CONTEXT_LENGTH


def test_calls_are_chunks_and_an_engine_is_loaded_once(vllm, store):
    """As many requests as the store takes between two losses; a second run uses the same engine, and only for news."""
    backend = resolve_model("vllm:some/model")
    backend.chunk_size = 4
    run_requests(asked(backend, "abcdefghij"), backend, store)
    assert [len(call) for call in vllm.calls] == [4, 4, 2]
    run_requests(asked(backend, "abcdefghijk"), backend, store)
    assert (len(vllm.calls), len(vllm.made)) == (4, 1)


def test_a_model_that_cannot_be_loaded_is_a_matter_of_configuration(vllm, store):
    """The error says which model, and what vLLM said."""
    backend = resolve_model("vllm:missing")
    with pytest.raises(ConfigError, match="vLLM could not load missing: missing is not a local folder"):
        run_requests(asked(backend, ["a"]), backend, store)


def test_unknown_sampling_parameters_are_refused(vllm, store):
    """A parameter that vLLM does not have is not a parameter that can be left out unseen."""
    backend = resolve_model("vllm:some/model")
    with pytest.raises(UsageError, match="no sampling parameter 'reasoning_effort'"):
        run_requests(asked(backend, ["a"], sampling=Sampling(reasoning_effort="high")), backend, store)
