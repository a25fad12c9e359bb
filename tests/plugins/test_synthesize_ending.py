"""Rollouts of several turns that end early, by Ctrl-C or a budget, and with an engine: the same rows, nothing twice."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import kbtools as kb
from tests.plugins.test_synthesize_kills import read
from tests.plugins.test_synthesize_turns import MARKS, assessed, modules, rights_itself
from tests.servers.openai_server import OpenAIServer

MODULES = 12
EACH = "        for attempt in attempts:\n"
SLOW_MARKS = MARKS.replace(EACH, f"{EACH}            sleep(0.1)\n")
LIMIT = 600

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, install) -> Path:
    """Rows, and a feedback of a third party that takes its time."""
    install("kb-marks", f"from time import sleep\n{SLOW_MARKS}")
    kb.save(modules(MODULES), tmp_path / "rows.parquet")
    return tmp_path


def start(folder: Path, name: str, url: str, *more: str) -> subprocess.Popen[str]:
    """The run in a process and with a store of its own."""
    words = ["apply", "synthesize", "--turns", "4", "--feedback", "marks", "--model", f"{url}#scripted"]
    words += ["--max-in-flight", "4", "--dataset", "rows.parquet", "--out", f"{name}.parquet", "--overwrite", *more]
    environment = os.environ | {
        "KBTOOLS_STORE": str(folder / f"{name}.sqlite"),
        "PYTHONPATH": os.pathsep.join([str(folder / "site"), *sys.path]),
    }
    program = [sys.executable, "-c", "from kbtools.cli import main; main()"]
    return subprocess.Popen(
        [*program, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and stderr, in which nothing is ever a traceback."""
    _, err = process.communicate(timeout=LIMIT)
    assert "Traceback" not in err
    assert "never retrieved" not in err
    return process.returncode, err


def wait_for(reached, process: subprocess.Popen[str]) -> None:
    while not reached():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_ctrl_c_among_calls_and_checks_loses_and_repeats_nothing(folder: Path) -> None:
    """Exit code 130 each time; the third run has the rows of one that was left alone."""
    with OpenAIServer(reply=rights_itself, delay=0.1) as server:
        running = start(folder, "stopped", server.url)
        wait_for(lambda: len(server.log) >= MODULES + 8, running)
        running.send_signal(signal.SIGINT)
        code, err = ended(running)
        assert code == 130
        assert f"interrupted with {len(server.log)} replies in the store, {len(server.log)} calls made" in err
        running, before = start(folder, "stopped", server.url), len(assessed(folder))
        wait_for(lambda: len(assessed(folder)) >= before + 3, running)
        running.send_signal(signal.SIGINT)
        assert ended(running)[0] == 130
        assert ended(start(folder, "stopped", server.url))[0] == 0
        assert len(server.log) == 3 * MODULES
        assert max(Counter(call.digest for call in server.log).values()) == 1
        assert len(assessed(folder)) <= 3 * MODULES + 1
        assert ended(start(folder, "alone", server.url))[0] == 0
        assert read(folder, "stopped") == read(folder, "alone")


def test_a_budget_in_money_and_an_engine_leave_the_rows_the_same(folder: Path) -> None:
    """The run that stopped before it cost too much goes on with more; two processes have the same rows as one."""
    with OpenAIServer(reply=rights_itself) as server:
        prices = f'[prices]\n"{server.url}#scripted" = {{ input = 1.0, output = 10.0 }}\n'
        (folder / "kbtools.toml").write_text(prices)
        code, err = ended(start(folder, "paid", server.url, "--max-cost", "0.17"))
        assert code == 1
        assert "the budget of this run does not allow a further call" in err
        stopped = len(server.log)
        assert 0 < stopped < 3 * MODULES
        assert ended(start(folder, "paid", server.url, "--max-cost", "1"))[0] == 0
        assert len(server.log) == 3 * MODULES
        assert ended(start(folder, "engine", server.url, "--engine", "processes=2"))[0] == 0
        assert len(server.log) == 6 * MODULES
        assert read(folder, "engine") == read(folder, "paid")
