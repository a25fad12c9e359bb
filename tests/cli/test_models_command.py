"""`kbtools models`: what is known, what would be used and why, and whether it is there."""

import pytest

from tests.servers.openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    """No model and no key of the machine that runs the tests."""
    for name in ("KBTOOLS_MODEL", "DATA_MODEL", "OPENAI_API_KEY", "PRIME_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_model_it_says_how_to_name_one(cli):
    """The profiles are listed all the same, with the key that each lacks."""
    done = cli("models")
    assert done.code == 3
    assert "OPENAI_API_KEY is not set" in done.out
    assert "no model is configured: set KBTOOLS_MODEL or DATA_MODEL" in done.out


@pytest.mark.parametrize(("asked", "code"), [("test-model", 0), ("other", 3)])
def test_the_server_is_asked_for_the_model(cli, monkeypatch, asked, code):
    """One request, none of which is paid for."""
    with OpenAIServer() as server:
        monkeypatch.setenv("DATA_MODEL", f"{server.url}#{asked}")
        done = cli("models")
    assert f"model: {server.url}#{asked} (DATA_MODEL)" in done.out
    assert done.code == code
    assert not server.log


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("http://127.0.0.1:9/v1#m", "does not answer"),
        ("openai:gpt-5.2", "cannot be used: the API key of profile 'openai'"),
        ("nowhere:m", "cannot be used: model spec 'nowhere:m': there is no profile"),
    ],
)
def test_what_cannot_be_used_is_named(cli, spec, says):
    """With exit code 3."""
    done = cli("models", spec)
    assert (done.code, says in done.out) == (3, True)


def test_a_bare_name_goes_to_the_server_of_the_key(cli, monkeypatch):
    """And it is said that it does."""
    monkeypatch.setenv("DATA_MODEL", "openai/gpt-5.2")
    monkeypatch.setenv("PRIME_API_KEY", "k")
    monkeypatch.setenv("PRIME_INFERENCE_URL", "http://127.0.0.1:9/v1")
    assert "model: prime:openai/gpt-5.2 (DATA_MODEL, a bare name, and PRIME_API_KEY is set)" in cli("models").out
