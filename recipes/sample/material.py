"""Reads the raw material of the sample: `modules/<family>/<slug>/`.

A module's folder holds `reference.py` (PyTorch), one file per candidate kernel (`good_*.py`, `bad_*.py`) and
`module.toml` (class name, reference answer, rollouts). All of it is read as text; nothing here runs it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbtools.errors import DataError
from sample.completions import FORMATS

MODULES = Path(__file__).parent / "modules"


@dataclass(frozen=True)
class Rollout:
    """One answer to a module's task: a candidate's code, said in a format, after some reasoning."""

    candidate: Path
    format: str
    reasoning: str

    @property
    def name(self) -> str:
        """Family, module and file of the candidate, as in `loss/mse/good_single`."""
        return "/".join(self.candidate.with_suffix("").parts[-3:])

    @property
    def is_good(self) -> bool:
        """Whether the candidate is meant to be right: `good_*` passes verification, `bad_*` does not."""
        return self.candidate.name.startswith("good_")

    @property
    def code(self) -> str:
        """Source text of the candidate."""
        return self.candidate.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Module:
    """One PyTorch module and the rollouts on it; `name` is its class and need not be unique."""

    family: str
    slug: str
    name: str
    reference: Path
    answer: Path
    rollouts: tuple[Rollout, ...]


def read_modules(root: Path = MODULES) -> list[Module]:
    """Read all modules under a folder, sorted by folder, so that the order is the same on every machine."""
    return [_read_module(folder.parent) for folder in sorted(root.glob("*/*/module.toml"))]


def in_rounds(modules: list[Module]) -> Iterator[tuple[Module, Rollout]]:
    """Yield the first rollout of every module, then the second of every module that has one, and so on."""
    for turn in range(max(len(module.rollouts) for module in modules)):
        for module in modules:
            if turn < len(module.rollouts):
                yield module, module.rollouts[turn]


def _read_module(folder: Path) -> Module:
    spec = tomllib.loads((folder / "module.toml").read_text(encoding="utf-8"))
    return Module(
        family=folder.parent.name,
        slug=folder.name,
        name=spec["module_name"],
        reference=_source(folder, "reference"),
        answer=_source(folder, spec["answer"]),
        rollouts=tuple(_read_rollout(folder, entry) for entry in spec["rollout"]),
    )


def _read_rollout(folder: Path, entry: dict[str, Any]) -> Rollout:
    if entry["format"] not in FORMATS:
        raise DataError(f"{folder}/module.toml: {entry['format']!r} is not one of {', '.join(FORMATS)}")
    return Rollout(_source(folder, entry["candidate"]), entry["format"], entry["reasoning"].strip("\n"))


def _source(folder: Path, stem: str) -> Path:
    path = folder / f"{stem}.py"
    if not path.is_file():
        raise DataError(f"{folder}/module.toml names {stem!r}, and there is no file {path.name} beside it")
    return path
