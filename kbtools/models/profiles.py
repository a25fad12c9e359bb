"""Profiles of model servers: where they are, whose key they want, what they understand, what they cost.

Read from the tables `[model]`, `[profiles.NAME]` and `[prices]` of `kbtools.toml` in the working directory and of
`config.toml` in the user's configuration directory; the former wins, and both win over what is built in.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from kbtools.errors import ConfigError, Missing, did_you_mean, explain
from kbtools.models.backends.http import HttpBackend
from kbtools.models.backends.wire import Api, Dialect, Structure
from kbtools.models.options import Prices

REFERENCE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Profile(BaseModel):
    """One kind of server. `base_url` and headers may refer to `${VARIABLE}` and `${VARIABLE:-default}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """Up to and with /v1."""
    key_env: str | None = None
    """Variable that holds the key sent as bearer token."""
    headers: dict[str, str] = {}
    """Further headers; one that comes out empty is not sent."""
    api: Api = "chat"
    """Chat completions or the Responses API."""
    response_format: Structure = "json_schema"
    """The strictest response format that the server takes."""
    max_tokens_field: str = "max_tokens"
    """Name of the field that bounds a chat completion."""
    rpm: int | None = None
    """Requests per minute."""
    tpm: int | None = None
    """Tokens per minute."""

    def dialect(self) -> Dialect:
        """How to speak to the server."""
        return Dialect(self.api, self.response_format, self.max_tokens_field)

    def backend(self, name: str, model: str) -> HttpBackend:
        """The backend for one model; ConfigError names a missing variable."""
        headers = {key: expanded(value, f"header {key} of profile {name!r}") for key, value in self.headers.items()}
        headers = {key: value for key, value in headers.items() if value}
        if self.key_env is not None:
            key = expanded(f"${{{self.key_env}}}", f"the API key of profile {name!r}")
            if fault := _fault_of_key(key):
                raise ConfigError(f"the variable {self.key_env} {fault}: it must hold the key alone.")
            headers["Authorization"] = f"Bearer {key}"
        return HttpBackend(
            base_url=expanded(self.base_url, f"base_url of profile {name!r}"),
            model=model,
            headers=headers,
            dialect=self.dialect(),
            credentials=f"variable {self.key_env}" if self.key_env else f"profile {name!r} names no key_env",
        )


BUILT_IN: Mapping[str, Profile] = {
    "openai": Profile(
        base_url="${OPENAI_BASE_URL:-https://api.openai.com/v1}",
        key_env="OPENAI_API_KEY",
        max_tokens_field="max_completion_tokens",
    ),
    "prime": Profile(
        base_url="${PRIME_INFERENCE_URL:-https://api.pinference.ai/api/v1}",
        key_env="PRIME_API_KEY",
        headers={"X-Prime-Team-ID": "${PRIME_TEAM_ID:-}"},
    ),
}


def _fault_of_key(key: str) -> str | None:
    """What a key has that no key has, from the ways in which keys are copied; None if it may be one."""
    if key.lower().startswith("bearer "):
        return "begins with Bearer, which is written in front of it anyway"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "holds blanks, line ends or letters that are in no key"
    if key[0] in "'\"" and key[0] == key[-1]:
        return "is in quotes, as `docker --env-file` leaves them"
    return None


class DefaultModel(BaseModel):
    """The table `[model]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: str = ""
    """Model spec of stages that are given none."""


class ModelsConfig(BaseModel):
    """What the configuration files say about models."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: DefaultModel = DefaultModel()
    profiles: dict[str, Profile] = {}
    prices: dict[str, Prices] = {}
    """By model spec or model name, per million tokens."""

    def profile(self, name: str) -> Profile | None:
        return self.profiles.get(name) or BUILT_IN.get(name)


def config_paths() -> tuple[Path, ...]:
    """The files that are read, the one that wins last."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (home / "kbtools" / "config.toml", Path("kbtools.toml"))


def read_config(paths: Sequence[Path] | None = None) -> ModelsConfig:
    """Merge the configuration files that exist; ConfigError names the file and the entry."""
    tables: dict[str, dict[str, object]] = {"model": {}, "profiles": {}, "prices": {}}
    for path in config_paths() if paths is None else paths:
        if not path.is_file():
            continue
        try:
            written = tomllib.loads(path.read_text(encoding="utf-8"))
            _check_tables(path, written)
            found = ModelsConfig.model_validate(written)
        except ValidationError as error:
            raise ConfigError(f"reading {path}: {explain(error, ModelsConfig)}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"reading {path}: {error}") from error
        tables["model"].update(found.model.model_dump(exclude_defaults=True))
        tables["profiles"].update(found.profiles)
        tables["prices"].update(found.prices)
    return ModelsConfig(**tables)


def _check_tables(path: Path, written: Mapping[str, object]) -> None:
    """ConfigError for a misspelt table; other tables may be somebody else's."""
    for name in written.keys() - ModelsConfig.model_fields.keys():
        if near := did_you_mean(name, ModelsConfig.model_fields, all_if_none_near=False):
            raise ConfigError(f"reading {path}: there is no table [{name}]. {near}")


def expanded(text: str, what: str) -> str:
    """`text` with its references replaced from the environment; Missing names a variable that is not set."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], "")
        if not found and match[2] is None:
            raise Missing(
                f"{what} comes from the environment variable {match[1]}, which is not set. "
                "Set it, or write it into .env."
            )
        return found or match[2]

    return REFERENCE.sub(value, text)
