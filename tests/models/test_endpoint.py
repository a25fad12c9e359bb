"""Faults of an endpoint say what to do, and there is a setting for each thing that a server may not take."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import kbtools as kb
from kbtools.errors import ConfigError, UsageError
from kbtools.models import Kind, Options, ResponseStore, resolve_model, run_requests
from kbtools.models.backends.http import HttpBackend
from kbtools.models.spec import with_dialect
from tests.models.replay_table import CASES, GOOD
from tests.rows import evals
from tests.servers.behaviours import Behaviours, completion, error, sent

ONCE = Options(max_attempts=1, backoff=0.0, timeout=10)


def error_at(url: str, store: ResponseStore, ask) -> str:
    """The error of one row that is asked there."""
    run_requests(ask(1), HttpBackend(url, "test-model"), store, ONCE)
    reply = store.reply(ask(1)[0].key)
    assert reply.kind in (Kind.NOT_FOUND, Kind.CONNECTION)
    return str(reply.error)


def test_an_address_that_lacks_v1_is_mended_in_the_error(serve, store, ask):
    """What users type, `http://host:port#model`, and the whole path of the endpoint both get the right address."""
    server, _ = serve(script=lambda call: "404")
    root = server.url.removesuffix("/v1")
    assert f"has no /v1, which most servers want; try {root}/v1" in error_at(root, store, ask)
    whole = f"{server.url}/chat/completions"
    assert f"without /chat/completions, {server.url}" in error_at(whole, store, ask)


def test_a_proxy_is_named_without_its_password(store, ask, monkeypatch):
    """The address that cannot be reached is the proxy's, which nobody would look for in the URL of the server."""
    monkeypatch.setenv("HTTP_PROXY", "http://somebody:secret@127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    error = error_at("http://models.invalid/v1", store, ask)
    assert "through the proxy http://127.0.0.1:1 that the environment names" in error
    assert "secret" not in error


def test_an_address_is_shown_without_its_secrets(store, ask):
    """Errors and records say where requests went; the key that some servers want in the address stays out of them."""
    backend = HttpBackend("http://me:secret@127.0.0.1:1/v1?api_key=secret&api-version=2", "test-model")
    assert backend.endpoint == "http://127.0.0.1:1/v1/chat/completions?api_key=...&api-version=2"
    assert backend.address("/models") == "http://me:secret@127.0.0.1:1/v1/models?api_key=secret&api-version=2"
    assert "secret" not in error_at(backend.base_url, store, ask) + repr(backend)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_key_that_a_server_sends_back_is_not_recorded(store, ask, status):
    """Some quote the header in their errors; models are told it by no one, but a reply is cleaned all the same."""
    key = "Bearer sk-secret-1"
    told = sent(completion(GOOD.replace("copy", key))) if status == 200 else error(status, f"no {key}")
    with Behaviours({"m": told}).serving() as server:
        backend = HttpBackend(server.url, "m", {"Authorization": key, "X-Team": "sk"})
        run_requests(ask(1), backend, store, ONCE)
    reply = store.reply(ask(1)[0].key)
    assert "[key]" in f"{reply.raw}{reply.error}"
    assert "secret" not in f"{reply.raw}{reply.error}"


@pytest.mark.parametrize(
    ("key", "fault"),
    [("Bearer sk-1", "begins with Bearer"), ("'sk-1'", "is in quotes"), ("sk-1 ", "blanks"), ("“sk-1”", "letters")],
)
def test_a_key_as_it_is_wrongly_copied_is_refused_before_any_call(monkeypatch, key, fault):
    """The server would only say that it knows no such key."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match=f"the variable OPENAI_API_KEY .*{fault}") as refused:
        resolve_model("openai:gpt-5.2")
    assert "sk-1" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://me:secret@host/v1", "http://host/v1?key=secret"])
def test_a_secret_in_a_spec_is_refused_with_the_profile_that_holds_it(url):
    """The spec is part of every record of a run."""
    with pytest.raises(UsageError, match=r"write it into a profile of kbtools\.toml") as refused:
        resolve_model(f"{url}#m")
    assert "secret" not in str(refused.value)


def test_tls_faults_stop_the_run_and_name_the_variable(store, ask):
    """A server without TLS behind https:// is found at the first row."""
    says = r"SSL_CERT_FILE; a server without TLS has an address that begins with http"
    with Behaviours({}).serving() as server, pytest.raises(ConfigError, match=says):
        run_requests(ask(3), HttpBackend(server.url.replace("http:", "https:"), "m"), store, ONCE)
    assert store.states([request.key for request in ask(3)]) == {}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
def test_ssl_cert_file_is_the_remedy_that_it_is_said_to_be(tmp_path: Path, store, ask, monkeypatch):
    """A certificate that nobody signed is refused, and accepted with its file in SSL_CERT_FILE."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Silence."""

        def do_POST(self) -> None:
            body = json.dumps(completion(GOOD)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    backend = HttpBackend(f"https://localhost:{server.server_address[1]}/v1", "test-model")
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        run_requests(ask(1), backend, store, ONCE)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert run_requests(ask(1), backend, store, ONCE).done == 1
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("behaviour", "remedy"),
    [
        ("no temperature", {"temperature": "omit"}),
        ("no response_format", {"response_format": "none"}),
        ("no max_tokens", {"max_tokens_field": "max_completion_tokens"}),
    ],
)
def test_each_parameter_has_a_setting(tmp_path: Path, behaviour: str, remedy: dict[str, str]):
    """A server that refuses a parameter judges all rows once the setting of the error is given, for a plain URL too."""
    with Behaviours({behaviour: CASES[behaviour].sent}).serving() as server:
        given = {"rubric": "difficulty", "model": f"{server.url}#{behaviour}", "store": str(tmp_path / "s.sqlite")}
        with pytest.raises(ConfigError, match=next(iter(remedy)).replace("_", "[-_]")):
            kb.Judge(**given)(evals([0.9]))
        assert kb.Judge(**given, **remedy)(evals([0.9]))["difficulty"][:] == ["low"]


def test_a_profile_with_the_same_address_speaks_for_a_plain_url(tmp_path: Path, monkeypatch):
    """What the configuration knows of a server holds however the server is named; options win."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    profile = '[profiles.mine]\nbase_url = "http://host:8000/v1"\nresponse_format = "none"\nmax_tokens_field = "most"\n'
    Path("kbtools.toml").write_text(profile)
    dialect = resolve_model("http://host:8000/v1/#m").dialect
    assert (dialect.response_format, dialect.max_tokens_field) == ("none", "most")
    assert resolve_model("http://host:9000/v1#m").dialect.response_format == "json_schema"
    changed = with_dialect(resolve_model("http://host:8000/v1#m"), "json_object", None).dialect
    assert (changed.response_format, changed.max_tokens_field) == ("json_object", "most")
    with pytest.raises(UsageError, match="has no server"):
        with_dialect(resolve_model("hf:m"), "none", None)
