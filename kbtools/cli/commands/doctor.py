"""`kbtools doctor`: what this machine has, what is missing and how to get it; never the value of a credential."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click
from dotenv import dotenv_values
from packaging.requirements import Requirement
from rich.table import Table
from rich.text import Text

from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.text import printable
from kbtools.models.store import default_path
from kbtools.plugins import registry

State = Literal["ok", "missing", "broken"]
_STYLES = {"ok": "green", "missing": "yellow", "broken": "bold red"}
_CREDENTIALS = {
    "HF_TOKEN": "private datasets and pushing to the Hub",
    "PRIME_API_KEY": "models of Prime Intellect",
    "PRIME_TEAM_ID": "the team that Prime Intellect bills",
    "OPENAI_API_KEY": "models of OpenAI",
}


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    group: str
    name: str
    state: State
    """`missing` things are optional; a `broken` one is required."""
    text: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor_command(as_json: bool) -> int:
    """Check versions, plugins, extras, GPU, credentials and caches; exit code 3 when something required is broken."""
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        _print(findings)
    return 3 if any(finding.state == "broken" for finding in findings) else 0


def examine() -> Iterator[Diagnosis]:
    """Everything that can be found out without the network."""
    yield Diagnosis("versions", "python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield from _required()
    yield from _plugins()
    yield from _extras()
    yield _gpu()
    yield _ptx_machine()
    yield from _credentials()
    yield from _folders()


def _required() -> Iterator[Diagnosis]:
    yield Diagnosis("versions", "kbtools", "ok", importlib.metadata.version("kbtools"))
    for requirement in _requirements():
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            fault = _fault(requirement)
            yield Diagnosis("versions", requirement.name, "broken" if fault else "ok", fault or _version(requirement))


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in importlib.metadata.requires("kbtools") or []]


def _version(requirement: Requirement) -> str:
    return importlib.metadata.version(requirement.name)


def _fault(requirement: Requirement) -> str | None:
    """Why an installed package does not do, or None when it does."""
    try:
        found = _version(requirement)
    except importlib.metadata.PackageNotFoundError:
        return f"not installed: pip install '{requirement.name}{requirement.specifier}'"
    if not requirement.specifier.contains(found, prereleases=True):
        return f"{found} is installed: pip install '{requirement.name}{requirement.specifier}'"
    return None


def _plugins() -> Iterator[Diagnosis]:
    """A plugin that fails is its author's fault and only missing; without the built-in one nothing works."""
    for plugin in (plugin.checked() for plugin in registry().plugins):
        own = plugin.origin.distribution == "kbtools"
        state: State = "ok" if plugin.error is None else "broken" if own else "missing"
        text = plugin.error or f"{plugin.origin.version}, loaded"
        yield Diagnosis("plugins", f"{plugin.origin.distribution}:{plugin.entry}", state, text)


def _extras() -> Iterator[Diagnosis]:
    requirements = _requirements()
    for extra in sorted(importlib.metadata.metadata("kbtools").get_all("Provides-Extra") or []):
        needed = [r for r in requirements if r.marker and r.marker.evaluate({"extra": extra})]
        others = [r for r in needed if not (r.marker and r.marker.evaluate({"extra": ""}))]
        lacking = [r.name for r in others if r.name != "kbtools" and _fault(r)]
        text = f"lacks {', '.join(lacking)}: pip install 'kbtools[{extra}]'" if lacking else _versions(others)
        yield Diagnosis("extras", extra, "missing" if lacking else "ok", text)


def _versions(requirements: Iterable[Requirement]) -> str:
    return ", ".join(f"{r.name} {_version(r)}" for r in requirements if r.name != "kbtools")


def _gpu() -> Diagnosis:
    """What nvidia-smi says: importing torch to ask it would take seconds."""
    if shutil.which("nvidia-smi") is None:
        return Diagnosis("machine", "gpu", "missing", "none: nvidia-smi is not installed. Kernels run on the CPU.")
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Diagnosis("machine", "gpu", "missing", f"nvidia-smi does not answer: {error}")
    found = "; ".join(done.stdout.split("\n")).strip("; ")
    if done.returncode or not found:
        return Diagnosis("machine", "gpu", "missing", f"nvidia-smi finds none: {(done.stdout + done.stderr).strip()}")
    return Diagnosis("machine", "gpu", "ok", found)


def _ptx_machine() -> Diagnosis:
    """Whether kernels are executed by the machine in C, or by numpy alone."""
    from kbtools_plugins.ptx.native import library

    in_c, text = library.outlook()
    return Diagnosis("machine", "ptx machine", "ok" if in_c else "missing", text)


def _credentials() -> Iterator[Diagnosis]:
    """Present or not; the value itself is never shown."""
    file = Path.cwd() / ".env"
    from_file = {} if file.is_fifo() else dotenv_values(file)  # a pipe has been read, and may say no more
    for name, purpose in _CREDENTIALS.items():
        value = os.environ.get(name)  # the command line has read .env by now
        if value:
            yield Diagnosis("credentials", name, "ok", f"set in {_origin(value, from_file.get(name))}")
        elif name == "HF_TOKEN" and _hub_login().exists():
            yield Diagnosis("credentials", name, "ok", "logged in with `hf auth login`")
        else:
            yield Diagnosis("credentials", name, "missing", f"not set; needed for {purpose}")


def _origin(value: str, in_file: str | None) -> str:
    return ".env" if value == in_file else "the environment"


def _hub_login() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_TOKEN_PATH)


def _folders() -> Iterator[Diagnosis]:
    import datasets

    yield _folder("dataset cache", Path(datasets.config.HF_DATASETS_CACHE))
    yield _folder("response store", default_path().parent)


def _folder(name: str, path: Path) -> Diagnosis:
    """A folder that must be writable, or that can be made."""
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(nearest, os.W_OK):
        return Diagnosis("folders", name, "broken", f"{path}: {nearest} cannot be written to")
    free = shutil.disk_usage(nearest).free / 2**30
    return Diagnosis("folders", name, "ok", f"{path} ({free:.0f} GiB free)")


def _print(findings: list[Diagnosis]) -> None:
    table = Table("", "what", "state", "found")
    for position, finding in enumerate(findings):
        first = position == 0 or findings[position - 1].group != finding.group
        table.add_row(
            finding.group if first else "",
            Text(printable(finding.name)),
            Text(finding.state, style=_STYLES[finding.state]),
            Text(printable(finding.text)),
        )
    console().print(table)
