"""One local Hub for all tests of this folder, reset for each; every client is a process with a home of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.hub_process import HubProcess
from tests.servers.warm import WarmPython

COMMAND = "from kbtools.cli import main; main()"


@dataclass
class Ran:
    """What a process printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that it printed."""
        return self.out + self.err

    @property
    def last(self) -> str:
        """The last line on stdout."""
        return self.out.strip().splitlines()[-1]


@dataclass
class Client:
    """Runs kbtools and Python as processes that know only the local Hub."""

    hub: HubProcess
    folder: Path
    warm: WarmPython

    def popen(self, *words: str, token: str | None = "hf_me", home: str = "home", **env: str) -> subprocess.Popen[str]:
        """A process that goes on while the test does."""
        environment = {**self.hub.environment(self.folder / home, token), **env}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, *words], cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True
        )

    def _run(self, code: str, *words: str, token: str | None = "hf_me", home: str = "home", **env: str) -> Ran:
        environment = {**self.hub.environment(self.folder / home, token), **env}
        return Ran(*self.warm.run(code, words, self.folder, environment, limit=240))

    def kbtools(self, *words: str, **settings: Any) -> Ran:
        """The command line."""
        return self._run(COMMAND, *words, **settings)

    def python(self, code: str, **settings: Any) -> Ran:
        """A script of a user, with plain clients."""
        return self._run(textwrap.dedent(code), **settings)

    def upload(self, repo: str, rows: list[dict[str, object]], extra: str = "", token: str = "hf_me") -> None:
        """A dataset that the plain client put on the Hub; `extra` is more Python over `ds` and `api`."""
        (self.folder / "rows.json").write_text(json.dumps(rows))
        done = self.python(
            f"""
            import datasets, json, huggingface_hub
            ds = datasets.Dataset.from_list(json.load(open("rows.json")))
            ds.push_to_hub({repo!r}, private=True)
            api = huggingface_hub.HfApi()
            {extra}
            """,
            token=token,
        )
        assert done.code == 0, done.err

    def rows(self, repo: str, config: str = "default", home: str = "reader") -> dict[str, list[dict[str, object]]]:
        """Rows of each split as the plain `load_dataset` of a fresh user gives them."""
        code = f"""
            import datasets, json
            found = datasets.load_dataset({repo!r}, {config!r}, download_mode="force_redownload")
            json.dump({{name: ds.to_list() for name, ds in found.items()}}, open("loaded.json", "w"))
        """
        done = self.python(code, home=home)
        assert done.code == 0, done.err
        found: dict[str, list[dict[str, object]]] = json.loads((self.folder / "loaded.json").read_text())
        return found


@pytest.fixture(scope="session")
def hub_process() -> Iterator[HubProcess]:
    """The Hub's process."""
    process = HubProcess()
    yield process
    process.stop()


@pytest.fixture
def hub(hub_process: HubProcess) -> HubProcess:
    """A Hub without repositories, and with the users that `HubProcess.reset` names."""
    hub_process.reset()
    return hub_process


@pytest.fixture
def client(hub: HubProcess, warm: WarmPython, tmp_path: Path) -> Client:
    """A user named me."""
    return Client(hub, tmp_path, warm)


@pytest.fixture
def rows() -> list[dict[str, object]]:
    """Twenty rollouts on five modules."""
    return [
        {
            "example_id": i,
            "prompt": [{"role": "user", "content": f"make kernel {i}"}],
            "completion": [{"role": "assistant", "content": f"<answer>{i}</answer>", "reasoning": "hm"}],
            "reward": i / 10,
            "info": {"module_name": f"m{i % 5}", "python_code": "class M: ...", "triton_code": "k"},
        }
        for i in range(20)
    ]


@pytest.fixture
def jsonl(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    """The rollouts as a local file."""
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
