"""A virtual environment for each rival, made once in a cache folder with the versions named here.

The environment of whoever runs the benchmark is never written to. A rival that cannot be installed stands in the
results with pip's own words.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rival:
    """A tool to compare with: its script's name, what pip installs, and what a reader should know of that choice."""

    name: str
    packages: tuple[str, ...]
    note: str = ""


RIVALS = (
    Rival(
        "distilabel", ("distilabel[openai]==1.5.3", "requests==2.34.2"), "it imports requests and does not ask for it"
    ),
    Rival("curator", ("bespokelabs-curator==0.1.31",)),
    Rival("data_designer", ("data-designer==1.0.0rc1",), "the newest is a candidate for release"),
    Rival("httptools", ("httptools==0.9.0", "uvloop==0.23.0"), "llhttp by hand, no tool: what Python cannot go below"),
)
INSTALL_SECONDS = 900


class NotInstallable(Exception):
    """pip's last words on why there is no environment."""


def python_of(rival: Rival, cache: Path) -> Path:
    """The interpreter of the rival's environment, which is made if it is not there in these versions."""
    home = cache / rival.name
    python, done = home / "bin" / "python", home / "installed.txt"
    wanted = "\n".join(rival.packages)
    if not done.exists() or done.read_text() != wanted:
        print(f"installing {', '.join(rival.packages)} into its own environment ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        _pip(python, "install", "--quiet", *rival.packages)
        done.write_text(wanted)
    return python


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        raise NotInstallable(" ".join(errors)[-600:] or ended.stderr[-600:])


def versions_in(python: Path) -> dict[str, str]:
    """What ended up installed, by distribution: the rival, its HTTP clients and its tables."""
    told = (
        "distilabel",
        "bespokelabs-curator",
        "data-designer",
        "openai",
        "httpx",
        "aiohttp",
        "litellm",
        "datasets",
        "httptools",
        "uvloop",
    )
    code = (
        "import sys; from importlib.metadata import distributions as d\n"
        "print(*(f'{x.name} {x.version}' for x in d() if x.name.lower() in sys.argv[1:]), sep='\\n')"
    )
    ended = subprocess.run([str(python), "-c", code, *told], capture_output=True, text=True, check=True)
    return dict(sorted(line.split(" ") for line in ended.stdout.splitlines()))
