"""Model specs and profiles: which backend they stand for, and what they say when something is missing."""

import pytest

from kbtools.errors import ConfigError, UsageError
from kbtools.models import Options, Prices, read_config, resolve_model, with_configured_limits
from kbtools.models.spec import local_identity

CONFIG = """
[profiles.lab]
base_url = "http://${LAB_HOST:-lab}:9000/v1"
key_env = "LAB_KEY"
headers = { "X-Team" = "team ${LAB_TEAM}" }
response_format = "json_object"
rpm = 60
[prices]
"gpt-5.2" = { input = 1.5, output = 12.0 }
"lab:big" = { input = 0.1, output = 0.2 }
[other]
table = "of somebody else"
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    (tmp_path / "kbtools.toml").write_text(CONFIG)
    return read_config()


def test_openai(monkeypatch):
    """The built-in profile wants OPENAI_API_KEY and the newer name of max_tokens."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    backend = resolve_model("openai:gpt-5.2")
    assert (backend.model, backend.endpoint) == ("gpt-5.2", "https://api.openai.com/v1/chat/completions")
    assert backend.headers == {"Authorization": "Bearer sk-1"}
    assert "sk-1" not in repr(backend)


def test_prime_sends_the_team(monkeypatch):
    """PRIME_TEAM_ID becomes a header, and is not needed by people without a team."""
    monkeypatch.setenv("PRIME_API_KEY", "p")
    monkeypatch.setenv("PRIME_TEAM_ID", "team-7")
    backend = resolve_model("prime:openai/gpt-5.2")
    assert (backend.model, backend.headers["X-Prime-Team-ID"]) == ("openai/gpt-5.2", "team-7")
    monkeypatch.delenv("PRIME_TEAM_ID")
    assert "X-Prime-Team-ID" not in resolve_model("prime:openai/gpt-5.2").headers


def test_a_missing_key_is_named(monkeypatch):
    """The error says which variable to set."""
    monkeypatch.delenv("PRIME_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="PRIME_API_KEY, which is not set"):
        resolve_model("prime:x")


def test_a_profile_of_the_user(config, monkeypatch):
    """Base URL and headers may refer to the environment."""
    monkeypatch.setenv("LAB_KEY", "k")
    monkeypatch.setenv("LAB_TEAM", "7")
    backend = resolve_model("lab:big", config)
    assert backend.endpoint == "http://lab:9000/v1/chat/completions"
    assert backend.headers == {"X-Team": "team 7", "Authorization": "Bearer k"}
    assert backend.dialect.response_format == "json_object"


def test_prices_and_rates_come_from_the_configuration(config):
    """A price is found by spec or by model name; what the caller gives wins."""
    assert with_configured_limits(Options(), "lab:big", config).prices == Prices(0.1, 0.2)
    assert with_configured_limits(Options(), "lab:big", config).rpm == 60
    assert with_configured_limits(Options(), "openai:gpt-5.2", config).prices == Prices(1.5, 12.0)
    assert with_configured_limits(Options(rpm=5), "lab:x", config).rpm == 5


def test_the_working_directory_wins_over_the_home(tmp_path, monkeypatch):
    """Both files are read."""
    home = tmp_path / "config" / "kbtools"
    home.mkdir(parents=True)
    (home / "config.toml").write_text('[profiles.a]\nbase_url = "http://home"\n[profiles.b]\nbase_url = "http://home"')
    (tmp_path / "kbtools.toml").write_text('[profiles.a]\nbase_url = "http://here"')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    config = read_config()
    assert (config.profile("a").base_url, config.profile("b").base_url) == ("http://here", "http://home")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[profiles.a", "kbtools.toml"),
        ("[profiles.a]\nbase_ur = 'x'", "base_ur"),
        ("[prices]\nm = 3", "prices.m"),
        ("[profils.a]\nbase_url = 'x'", "no table .profils.. Did you mean 'profiles'"),
    ],
)
def test_a_bad_configuration_names_file_and_entry(tmp_path, text, why):
    """Misspelt entries are not ignored."""
    (tmp_path / "kbtools.toml").write_text(text)
    with pytest.raises(ConfigError, match=why):
        read_config([tmp_path / "kbtools.toml"])


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("gpt-5.2", "write openai:gpt-5.2, prime:gpt-5.2, "),
        ("openai:", "names no model: write openai:MODEL"),
        ("opnai:gpt-5.2", "Did you mean 'openai'"),
        ("http://localhost:8000/v1", "#MODEL"),
        ("http://#m", "not a base URL"),
        ("http://host:99999/v1#m", "not a base URL of a server .*[Pp]ort"),
        ("http://[::1/v1#m", "not a base URL of a server .*IPv6"),
    ],
)
def test_specs_that_mean_nothing(spec, why):
    """The error says what would."""
    with pytest.raises(UsageError, match=why):
        resolve_model(spec)


def test_a_url_sends_no_key(monkeypatch):
    """A key of one service is never sent to another host."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    backend = resolve_model("http://localhost:8000/v1#my/model")
    assert (backend.model, backend.headers) == ("my/model", {})


def test_the_query_of_an_address_stays_behind_its_path():
    """Some services want their version there."""
    backend = resolve_model("http://host/openai/?api-version=2#m")
    assert backend.endpoint == "http://host/openai/chat/completions?api-version=2"


def test_local_models_are_known_by_their_files(tmp_path):
    """Retrained weights under the same path are another model; a Hub name stays as it is."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"0" * 300_000)
    before = local_identity(str(folder))
    (folder / "weights.bin").write_bytes(b"0" * 150_000 + b"1" + b"0" * 149_999)
    assert before.startswith("model@")
    assert local_identity(str(folder)) != before
    assert local_identity("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"
    assert resolve_model(f"vllm:{folder} --max-model-len 2048").model == local_identity(str(folder))
