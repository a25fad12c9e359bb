"""Model specs: the text after `--model`, and the backend that it stands for.

`openai:gpt-5.2`, `prime:openai/gpt-5.2` and other profiles; `http://HOST/v1#NAME`; `serve:`, `vllm:`, `run-batch:` and
`hf:` with a path or Hub name, the first three followed by options for vLLM; `batch:` before a profile's spec.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from kbtools.engines import crew
from kbtools.errors import UsageError, did_you_mean
from kbtools.models.backend import ModelBackend
from kbtools.models.backends.http import HttpBackend, shown
from kbtools.models.backends.wire import CHAT, Dialects, Structure
from kbtools.models.options import Options
from kbtools.models.profiles import BUILT_IN, ModelsConfig, Profile, read_config

SAMPLE = 65_536


def resolve_model(spec: str, config: ModelsConfig | None = None) -> ModelBackend:
    """The backend of a model spec. UsageError for a spec that means nothing, ConfigError for a missing key."""
    if spec.startswith(("http://", "https://")):
        return _at_url(spec, config or read_config())
    scheme, colon, rest = spec.partition(":")
    if not colon or not rest.strip():
        raise UsageError(f"model spec {spec!r} {_lacks(scheme, bool(colon), config or read_config())}")
    if scheme in LOCAL:
        return LOCAL[scheme](rest.strip())
    config = config or read_config()
    if scheme == "batch":
        return _batch(rest, config)
    return _profile(scheme, config, spec).backend(scheme, rest)


def with_configured_limits(options: Options, spec: str, config: ModelsConfig | None = None) -> Options:
    """Options with the prices and rates of the configuration where the caller gave none."""
    config = config or read_config()
    scheme, _, model = spec.removeprefix("batch:").partition(":")
    profile = config.profile(scheme)
    return replace(
        options,
        prices=options.prices or config.prices.get(spec) or config.prices.get(model),
        rpm=options.rpm or (profile.rpm if profile else None),
        tpm=options.tpm or (profile.tpm if profile else None),
    )


def with_dialect(backend: ModelBackend, shape: Structure | None, max_tokens_field: str | None) -> ModelBackend:
    """The backend, which speaks to its server as these settings say; UsageError for a backend without a server."""
    if shape is None and max_tokens_field is None:
        return backend
    if not isinstance(backend, Dialects):
        raise UsageError(f"{backend.endpoint} has no server that --response-format or --max-tokens-field could suit")
    known = backend.dialect
    field = max_tokens_field or known.max_tokens_field
    return backend.speaking(replace(known, response_format=shape or known.response_format, max_tokens_field=field))


def _at_url(spec: str, config: ModelsConfig) -> ModelBackend:
    """The server at a URL, spoken to as the profile says that has this very URL, if there is one."""
    url, _, name = spec.partition("#")
    if (safe := shown(url)) != url:
        raise UsageError(
            f"the address {safe} was given with a password or a key, which records would show: write it into a profile "
            "of kbtools.toml, with ${VARIABLE} in its place, and give --model PROFILE:MODEL"
        )
    if not name:
        raise UsageError(f"model spec {spec!r} names no model; write {url.rstrip('/')}#MODEL")
    same = (found for found in config.profiles.values() if found.base_url.rstrip("/") == url.rstrip("/"))
    profile = next(same, None)
    return HttpBackend(
        url,
        name,
        dialect=profile.dialect() if profile else CHAT,
        credentials="none: a URL as model spec sends no key; write a profile to send one",
    )


def _batch(rest: str, config: ModelsConfig) -> ModelBackend:
    from kbtools.models.backends.batch import BatchBackend

    name, _, model = rest.partition(":")
    return BatchBackend(_profile(name, config, f"batch:{rest}").backend(name, model))


def _serve(rest: str) -> ModelBackend:
    from kbtools.models.backends.serve import ServeBackend

    path, options = _with_options(rest)
    return ServeBackend(path, local_identity(path), options)


def _run_batch(rest: str) -> ModelBackend:
    from kbtools.models.backends.run_batch import RunBatchBackend

    path, options = _with_options(rest)
    return RunBatchBackend(path, local_identity(path), options)


def _vllm(rest: str) -> ModelBackend:
    from kbtools.models.backends.vllm_offline import VllmBackend
    from kbtools.models.backends.vllm_workers import VllmWorkers

    path, options = _with_options(rest)
    workers = crew()
    if workers is not None and workers.kind(gpu=True) == "gpu":
        return VllmWorkers(path, local_identity(path), options, workers)
    return VllmBackend(path, local_identity(path), options)


def _hf(rest: str) -> ModelBackend:
    from kbtools.models.backends.hf import HfBackend

    return HfBackend(rest, local_identity(rest))


LOCAL: dict[str, Callable[[str], ModelBackend]] = {
    "serve": _serve,
    "vllm": _vllm,
    "run-batch": _run_batch,
    "hf": _hf,
}


def _profile(name: str, config: ModelsConfig, spec: str) -> Profile:
    if (profile := config.profile(name)) is not None:
        return profile
    known = [*BUILT_IN, *config.profiles, *LOCAL, "batch", "http"]
    raise UsageError(f"model spec {spec!r}: there is no profile {name!r}. {did_you_mean(name, known)}")


def _lacks(word: str, is_server: bool, config: ModelsConfig) -> str:
    """What a spec of one word lacks: a model, or a server."""
    if is_server:
        return f"names no model: write {word}:MODEL."
    profiles = ", ".join(f"{name}:{word}" for name in [*BUILT_IN, *config.profiles])
    return f"does not say where the model is: write {profiles}, {_forms()}."


def _forms() -> str:
    return "http://HOST/v1#MODEL, " + ", ".join(f"{name}:PATH" for name in LOCAL) + " or batch:PROFILE:MODEL"


def _with_options(rest: str) -> tuple[str, tuple[str, ...]]:
    path, *options = shlex.split(rest)
    return path, tuple(options)


def local_identity(path: str) -> str:
    """The name of a model in keys: a Hub name as it is, a local path with a fingerprint of its files.

    Retrained weights under the same path must not be answered for by stored replies of the old ones. The fingerprint
    covers each file's name, size and three samples of 64 KiB.
    """
    root = Path(path).expanduser()
    if not root.exists():
        return path
    digest = hashlib.sha256()
    for file in [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode())
        for sample in _samples(file):
            digest.update(sample)
    return f"{root.name}@{digest.hexdigest()[:12]}"


def _samples(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as opened:
        for offset in sorted({0, max(0, size // 2 - SAMPLE // 2), max(0, size - SAMPLE)}):
            opened.seek(offset)
            yield opened.read(SAMPLE)
