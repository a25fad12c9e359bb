"""The program as a process of its own, with a plugin whose stages misbehave in workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import datasets
import pytest

import kbtools as kb
from tests.engines.ray_nodes import Cluster
from tests.engines.waiting import SECONDS

PLUGIN = Path(__file__).parents[1] / "third_party" / "trouble" / "kbtools_trouble.py"


def install(folder: Path, version: str = "1.0") -> Path:
    """The plugin as `pip install --target` would leave it."""
    info = folder / f"kbtools_trouble-{version}.dist-info"
    info.mkdir(parents=True)
    shutil.copy(PLUGIN, folder)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kbtools-trouble\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[kbtools]\ntrouble = kbtools_trouble\n")
    return folder


@dataclass
class Program:
    """Calls `kbtools apply` on ten rows numbered in `n`, in a folder of its own."""

    folder: Path
    environment: dict[str, str]
    source: Path
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "log"

    def start(self, *words: object) -> subprocess.Popen[str]:
        """The program on the rows, in the middle of its work."""
        return self.call("apply", *words, "--dataset", self.source)

    def call(self, *words: object) -> subprocess.Popen[str]:
        """The program with any words."""
        return subprocess.Popen(
            [sys.executable, "-c", "from kbtools.cli import main; main()", *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: object) -> tuple[int, str]:
        """Exit code, and everything that was printed."""
        process = self.start(*words)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out + err

    def starts(self) -> list[int]:
        """First row of every part that a stage was given, in the order in which they were begun."""
        return [int(line.split()[2]) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program, with the plugin installed."""
    source = tmp_path / "source" / "rows.parquet"
    kb.save(datasets.Dataset.from_dict({"n": range(10), "id": [f"r{n}" for n in range(10)]}), source)
    path = os.pathsep.join([str(install(tmp_path / "site")), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "HF_HOME": str(tmp_path / "home")}
    return Program(tmp_path, environment, source)


def chains(program: Program, engine: str) -> dict[str, bytes]:
    """What the chains of `tests.engines.chains` gave under an engine: rows and records, by file."""
    root, out = Path(__file__).parents[2], program.folder / engine.partition("=")[0]
    out.mkdir()
    command = [sys.executable, "-m", "tests.engines.chains", engine, str(program.folder / "scratch"), str(out)]
    path = os.pathsep.join([str(root), program.environment["PYTHONPATH"]])
    environment = program.environment | {"PYTHONPATH": path}
    subprocess.run(command, cwd=program.folder, env=environment, check=True, timeout=SECONDS)
    return {file.name: file.read_bytes() for file in out.iterdir() if not file.name.endswith(".lineage.json")}


@pytest.fixture
def cluster(program: Program, ray_folder: str) -> Iterator[Cluster]:
    """A cluster of one node, whose nodes and drivers have the plugin."""
    started = Cluster(program.environment, ray_folder)
    program.environment = started.environment
    yield started
    started.close()


@pytest.fixture
def ray_folder() -> Iterator[str]:
    """A folder with a name so short that sockets can be in it."""
    with tempfile.TemporaryDirectory(prefix="kbray-", ignore_cleanup_errors=True) as folder:
        yield folder
