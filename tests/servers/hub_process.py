"""The local Hub as a process of its own, as tests and benchmarks hold it: start, script, inspect, stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class HubProcess:
    """A running Hub; `endpoint` is what HF_ENDPOINT takes, `storage` serves large files."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("hub.py"))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        places = json.loads(self.process.stdout.readline())
        self.endpoint: str = places["endpoint"]
        self.storage: str = places["storage"]

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def reset(self) -> None:
        """Forget everything; three users exist: me (with write rights in the organisation lab), reader, other."""
        self.tell("reset", {})
        self.tell(
            "users",
            {
                "hf_me": {"name": "me", "orgs": {"lab": "write", "club": "read"}},
                "hf_reader": {"name": "me", "role": "read"},
                "hf_other": {"name": "other"},
                "hf_fine": {"name": "me", "role": "fineGrained", "scopes": {"me": ["repo.write"]}},
                "hf_narrow": {"name": "me", "role": "fineGrained", "scopes": {"lab": ["repo.write"]}},
            },
        )

    def tell(self, what: str, body: Any) -> None:
        """Change the Hub behind the clients' backs."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_test/{what}", data=data, method="POST")
        urllib.request.urlopen(request).close()

    def faults(self, *faults: dict[str, Any]) -> None:
        """What shall go wrong from now on."""
        self.tell("faults", list(faults))

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.endpoint}/_test/{what}") as answer:
            return json.load(answer)

    def state(self, repo: str) -> dict[str, Any]:
        """Refs, commits, files and pull requests of a repository."""
        found: dict[str, Any] = self._ask("state")[repo]
        return found

    def repos(self) -> list[str]:
        """Names of all repositories."""
        return list(self._ask("state"))

    def log(self, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """Requests so far whose method and path contain these."""
        return [entry for entry in self._ask("log") if method in entry["method"] and path in entry["path"]]

    def environment(self, home: Path, token: str | None = "hf_me") -> dict[str, str]:
        """Environment of a client of this Hub whose caches and login are in `home`."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING", "DATASET_"))}
        own = {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
        }
        return {**kept, **own, **({"HF_TOKEN": token} if token else {})}
