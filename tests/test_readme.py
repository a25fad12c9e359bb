"""What the README says can be done is done: its Python and its commands are run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


def test_first_two_bash_blocks_are_one_line_each():
    """The command that runs the main job, and the one that runs the tests."""
    main_job, tests = _blocks("bash")[:2]
    assert main_job.count("\n") == tests.count("\n") == 1
    assert "--dataset sample" in main_job
    assert tests.rstrip().endswith("-m pytest")


@pytest.mark.parametrize("code", _blocks("python"), ids=lambda code: code.split("\n", 1)[0])
def test_python_example_runs(code):
    """As a newcomer would paste it."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_console_examples_run_in_order(warm):
    """Every line that begins with $ kbtools succeeds, in one folder, one after the other."""
    for line in "".join(_blocks("console")).splitlines():
        words = shlex.split(line.removeprefix("$ "))
        assert words[0] == "kbtools"
        code, out, err = warm.run("from kbtools.cli import main; main()", words[1:], Path.cwd(), os.environ, limit=300)
        assert code == 0, f"{line}\n{out}{err}"
    assert Path("best.parquet").read_bytes() == Path("again.parquet").read_bytes()
