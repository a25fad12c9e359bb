"""Finding and loading a tokenizer and its chat template: from a file, a folder, or the Hub.

Only `tokenizers` and jinja2 are needed. transformers would add seconds of import for what is a file format and a
template; its way of rendering is followed in `template`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import kbtools as kb
from kbtools_plugins.lengths.template import ChatTemplate

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOKENIZER, _CONFIG, _TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?")
_GIVE_LOCAL = (
    f"Give a local one: --tokenizer FOLDER (holding {_TOKENIZER}, and {_CONFIG} or {_TEMPLATE} for the chat template), "
    "or --tokenizer FILE.json together with --chat-template FILE."
)


@dataclass(frozen=True)
class Files:
    """Where a tokenizer's files lie."""

    name: str
    tokenizer: Path
    config: Path | None
    template: Path | None
    revision: str | None = None
    """Commit, when they came from the Hub."""


@dataclass(frozen=True)
class LoadedTokenizer:
    """A tokenizer that is ready to count, and what identifies it."""

    files: Files
    tokenizer: Tokenizer
    template: ChatTemplate
    max_length: int | None
    """What the model can take, where its tokenizer says so."""
    digest: str
    """sha256 over tokenizer.json, the chat template and the special tokens."""


def locate(spec: str, chat_template: str | None) -> Files:
    """The files of a tokenizer; ConfigError or UsageError says what is missing and how to give it."""
    path = Path(spec).expanduser()
    if path.is_dir():
        files = _in_folder(spec, path)
    elif path.is_file():
        files = Files(spec, path, None, None)
    elif spec.startswith(("/", ".", "~")) or spec.endswith(".json") or not _HUB_ID.fullmatch(spec):
        raise kb.errors.UsageError(f"--tokenizer {spec}: there is no such file or folder. {_GIVE_LOCAL}")
    else:
        files = _on_hub(spec)
    if chat_template is not None and not Path(chat_template).expanduser().is_file():
        raise kb.errors.UsageError(f"--chat-template {chat_template}: there is no such file.")
    return files


def load(files: Files, chat_template: str | None) -> LoadedTokenizer:
    """Read a tokenizer and its chat template; truncation and padding that its file asks for are turned off."""
    tokenizer = _read_tokenizer(files.tokenizer)
    config = _read_json(files.config) if files.config else {}
    sources = _template_sources(files, config, chat_template)
    special = {key: _token_text(value) for key, value in config.items() if key.endswith("_token") and value}
    digest = hashlib.sha256(files.tokenizer.read_bytes())
    digest.update(json.dumps([sources, special], sort_keys=True).encode())
    template = ChatTemplate(sources, special)
    return LoadedTokenizer(files, tokenizer, template, _max_length(config), digest.hexdigest())


def _in_folder(spec: str, folder: Path) -> Files:
    if not (folder / _TOKENIZER).is_file():
        raise kb.errors.UsageError(
            f"--tokenizer {spec}: the folder has no {_TOKENIZER}. transformers writes one: "
            "AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)."
        )
    config, template = folder / _CONFIG, folder / _TEMPLATE
    return Files(
        spec, folder / _TOKENIZER, config if config.is_file() else None, template if template.is_file() else None
    )


@cache
def _on_hub(spec: str) -> Files:
    from huggingface_hub.errors import EntryNotFoundError

    name, _, revision = spec.partition("@")
    try:
        tokenizer = _download(name, _TOKENIZER, revision)
    except Exception as error:  # what may go wrong here, from proxies to gated repositories, has no common class
        raise kb.errors.ConfigError(
            f"--tokenizer {spec}: {_TOKENIZER} could not be fetched from the Hub "
            f"({type(error).__name__}: {str(error).splitlines()[0]}). {_GIVE_LOCAL}"
        ) from error
    found: list[Path | None] = []
    for file in (_CONFIG, _TEMPLATE):
        try:
            found.append(_download(name, file, tokenizer.parent.name))
        except EntryNotFoundError:
            found.append(None)
    config, template = found
    return Files(spec, tokenizer, config, template, revision=tokenizer.parent.name)


def _download(name: str, file: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name, file, revision=revision or None))


def _read_tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception
        raise kb.errors.DataError(f"{path} is not a tokenizer in the format of `tokenizers` ({error}).") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise kb.errors.DataError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise kb.errors.DataError(f"{path} must hold a JSON object.")
    return found


def _template_sources(files: Files, config: dict[str, object], chat_template: str | None) -> dict[str, str]:
    """Template texts by name: the one given, else the tokenizer's own file, else what its config holds."""
    given = Path(chat_template).expanduser() if chat_template else files.template
    if given is not None:
        return {"default": given.read_text(encoding="utf-8")}
    found = config.get("chat_template")
    if isinstance(found, str):
        return {"default": found}
    if isinstance(found, list):
        return {str(entry["name"]): str(entry["template"]) for entry in found}
    raise kb.errors.ConfigError(
        f"--tokenizer {files.name} has no chat template: give one with --chat-template FILE (Jinja, as in the field "
        f"chat_template of a {_CONFIG})."
    )


def _token_text(value: object) -> str:
    """Special tokens are written as text or as {"content": text, ...}."""
    return str(value["content"]) if isinstance(value, dict) else str(value)


def _max_length(config: dict[str, object]) -> int | None:
    """Tokenizers without a limit carry an absurdly large number."""
    found = config.get("model_max_length")
    return int(found) if isinstance(found, int | float) and 0 < found < 1e9 else None
