"""A run of several turns that is killed ten times: what it comes to is what an undisturbed one comes to."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import kbtools as kb
from tests.plugins.test_synthesize_turns import MARKS, modules, rights_itself
from tests.servers.openai_server import OpenAIServer

MODULES, KILLS, IN_FLIGHT = 80, 10, 4


def command(folder: Path, name: str, url: str) -> subprocess.Popen[bytes]:
    """The run in a process of its own, with a store of its own."""
    words = ["apply", "synthesize", "--turns", "4", "--feedback", "marks", "--model", f"{url}#scripted"]
    words += ["--max-in-flight", str(IN_FLIGHT), "--dataset", "rows.parquet", "--out", f"{name}.parquet", "--quiet"]
    environment = os.environ | {
        "KBTOOLS_STORE": str(folder / f"{name}.sqlite"),
        "PYTHONPATH": os.pathsep.join([str(folder / "site"), *sys.path]),
    }
    program = [sys.executable, "-c", "from kbtools.cli import main; main()"]
    return subprocess.Popen([*program, *words, "--overwrite"], cwd=folder, env=environment)


@pytest.mark.slow
def test_kills_at_ten_moments_change_no_row_and_lose_no_reply(tmp_path, install) -> None:
    """Rows are equal but for milliseconds, a repeat has the same bytes, and only what is not stored is asked again."""
    install("kb-marks", MARKS)
    kb.save(modules(MODULES), tmp_path / "rows.parquet")
    moments, killed = random.Random(3), 0
    with OpenAIServer(reply=rights_itself, delay=0.05) as server:
        assert command(tmp_path, "alone", server.url).wait(600) == 0
        undisturbed = len(server.log)
        assert undisturbed == 3 * MODULES
        while killed < KILLS:
            asked = len(server.log)
            process = command(tmp_path, "killed", server.url)
            wanted = asked + moments.randint(1, 16)
            while len(server.log) < wanted and process.poll() is None:
                time.sleep(0.01)
            assert process.poll() is None, "it ended before it could be killed"
            process.kill()
            process.wait()
            killed += 1
        assert command(tmp_path, "killed", server.url).wait(600) == 0
        calls = server.log[undisturbed:]
        rows = [read(tmp_path, name) for name in ("alone", "killed")]
        assert rows[0] == rows[1]
        assert len(calls) - undisturbed <= KILLS * 2 * IN_FLIGHT  # under way, and answered but not yet stored
        assert max(Counter(call.digest for call in calls).values()) <= KILLS + 1
        before = (tmp_path / "killed.parquet").read_bytes()
        assert command(tmp_path, "killed", server.url).wait(600) == 0
        assert (tmp_path / "killed.parquet").read_bytes() == before
        assert len(server.log) == undisturbed + len(calls)


def read(folder: Path, name: str) -> list[dict[str, object]]:
    """The rows of a run without how long its calls took."""
    rows: list[dict[str, object]] = pq.read_table(folder / f"{name}.parquet").drop_columns("generation_ms").to_pylist()
    return rows
