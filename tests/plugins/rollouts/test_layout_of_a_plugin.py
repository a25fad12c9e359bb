"""The hook for layouts of rollouts, by the example of docs/plugins.md as an installed package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs" / "plugins.md"
PROGRAM = """
import kbtools as kb
print(kb.ConvertRollouts()(kb.load("rows.jsonl")).to_list())
print(kb.ConvertRollouts(on_error="drop").run(kb.load("odd.jsonl")).dropped_counts())
"""


def installed(folder: Path) -> dict[str, str]:
    """The environment of a process that has the example of the docs as a plugin."""
    example = re.search(r'```python title="kbtools_tries.py"\n(.*?)```', DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    (folder / "kbtools_tries.py").write_text(example[1], encoding="utf-8")
    about = folder / "kbtools_tries-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: kbtools-tries\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[kbtools]\ntries = kbtools_tries\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_the_layout_of_the_docs_is_read(tmp_path: Path) -> None:
    """Each try is a row; a row that the plugin refuses is counted under the kind that it gave."""
    row = {"question": "Write Add.", "tries": [{"code": "A", "passed": True}, {"code": "B", "passed": False}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "odd.jsonl").write_text(json.dumps({**row, "question": ""}) + "\n" + json.dumps(row) + "\n")
    env = installed(tmp_path)
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows, dropped = done.stdout.splitlines()
    assert re.findall(r"'reward': ([\d.]+)", rows) == ["1.0", "0.0"]
    assert "'content': 'B'" in rows
    assert dropped == "{'no-question': 1}"
