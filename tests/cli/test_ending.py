"""A run that is asked to end says so, and takes what is half-written with it."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kbtools.cli.ui.signals import as_interrupts

PROGRAM = [sys.executable, "-c", "from kbtools.cli import main; main()"]
WRITING = """
from typing import ClassVar
import kbtools as kb

class Slow(kb.Stage):
    '''Say when the first rows are written, and never come to an end.'''
    name: ClassVar[str] = "slow"
    scope: ClassVar = "row"

    def transform(self, ds):
        import sys, time
        from kbtools.data.table import map_batches

        def rows(table):
            print("begun", file=sys.stderr, flush=True)
            time.sleep(60)
            return table

        return kb.Result(map_batches(ds, rows, features=ds.features, fingerprint=self.fingerprint(ds)))

@kb.hookimpl
def register_stages():
    return [Slow]
"""


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(file, tmp_path, closed):
    """Services start programs without them: the rows are written, and nothing is printed into a file of the run."""
    words = [*PROGRAM, "apply", "sample", "--first", "2", "--dataset", str(file), "--out", "o.jsonl"]
    done = subprocess.run(["bash", "-c", f'exec "$@" {closed}', "x", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len([json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_as_ctrl_c_does(file, install, tmp_path, number):
    """The exit code is that of a process that the signal ended; no output and no temporary file stays."""
    folder = install("kb-slow-writer", WRITING)
    before = signal.signal(number, signal.SIG_DFL)  # tests that are run by `nohup` ignore one of them, and so would it
    process = subprocess.Popen(
        [*PROGRAM, "apply", "slow", "--dataset", str(file)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "HF_HOME": str(tmp_path / "hf")},
    )
    signal.signal(number, before)
    assert process.stderr is not None
    said = ""
    while "begun" not in said:
        said = process.stderr.readline()
        assert said, "the stage never began"
    process.send_signal(number)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "error: interrupted" in rest
    assert "Traceback" not in rest
    assert not [path for path in tmp_path.rglob("*") if "part" in path.name or "tmp" in path.name]
    assert not Path("outputs").exists()


def test_an_ignored_signal_stays_ignored():
    """`nohup kbtools ...` goes on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_interrupts() as caught:
            signal.raise_signal(signal.SIGHUP)
        assert caught == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_off_the_main_thread_nothing_is_caught():
    """Python allows no handlers there, and the program runs all the same."""
    seen = []

    def work():
        with as_interrupts():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("stages", "dedup"), 0),
        (("show", "sample", "-n", "50", "--full"), 0),
        (("show", "file", "-n", "2"), 0),
        (("show", "--help"), 0),
        (("apply", "sample", "--first", "2", "--dataset", "sample"), 0),
        (("diff", "sample", "file"), 1),
    ],
)
def test_a_reader_that_goes_away_does_not_change_the_exit_code(file, words, code):
    """As `| head` does: what was done was done, and `diff` still says that something differs."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from kbtools.cli import main; main()",
            *(str(file) if w == "file" else w for w in words),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(timeout=60) == code
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("words", [("show", "sample", "-n", "50"), ("judges",), ("--version",)])
def test_a_full_disk_behind_the_output_is_a_failure_in_words(words):
    """Python's own end would be 120 and a trace."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_gone_is_said(cli, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = cli("stages")
    assert (done.code, done.err) == (
        3,
        "error: the folder that you are in has been deleted: cd to one that is there.\n",
    )


def test_variables_may_come_through_a_pipe(cli, file):
    """A manager of passwords puts a pipe in the place of `.env`; what waits for it says so."""
    os.mkfifo(".env")
    writer = threading.Thread(target=lambda: Path(".env").write_text(f"DATASET_PATH={file}\n"))
    writer.start()
    done = cli("apply", "sample", "--first", "1")
    writer.join()
    assert done.code == 0, done.err
    assert ".env is a pipe: waiting for what is written into it" in done.err


def test_a_terminal_without_our_characters_gets_them_spelled_out():
    """An encoding is not a reason to fail."""
    done = subprocess.run(
        [*PROGRAM, "show", "sample", "-n", "50"],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u" in done.stdout


DEFECTIVE = """
from typing import ClassVar
import kbtools as kb

class Exits(kb.Stage):
    '''End the program.'''
    name: ClassVar[str] = "exits"
    scope: ClassVar = "row"

    def transform(self, ds):
        raise SystemExit(0)

class Nothing(kb.Stage):
    '''Forget to give a result.'''
    name: ClassVar[str] = "nothing"
    scope: ClassVar = "row"

    def transform(self, ds):
        return None

class Breaks(kb.Stage):
    '''Break.'''
    name: ClassVar[str] = "breaks"
    scope: ClassVar = "row"

    def transform(self, ds):
        return {}["missing"]

@kb.hookimpl
def register_stages():
    return [Exits, Nothing, Breaks]
"""


@pytest.mark.parametrize(("name", "says"), [("exits", "ended the program"), ("nothing", "it gave NoneType")])
def test_a_stage_cannot_end_a_run_as_if_it_were_done(cli, file, install, name, says):
    """A plugin that exits with 0, or gives nothing, is a failure that names the stage."""
    install("kb-defective", DEFECTIVE)
    done = cli("apply", name, "--dataset", file)
    assert done.code == 1
    assert f"stage 1 ({name}): it" in done.err
    assert says in done.err
    assert not Path("outputs").exists()


def test_the_trace_of_a_broken_stage_ends_with_its_name(cli, file, install):
    install("kb-defective", DEFECTIVE)
    with pytest.raises(KeyError, match="missing") as caught:
        cli("apply", "breaks", "--dataset", file)
    assert caught.value.__notes__ == ["raised in stage 1 (breaks by kb-defective 1.0)"]


def test_a_second_interrupt_as_the_program_ends_leaves_no_trace():
    program = """
import atexit, os, signal
from kbtools import cli

def interrupted(**how):
    raise KeyboardInterrupt

cli.kbtools.main = interrupted
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
cli.main([])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == -signal.SIGINT
    assert done.stderr.startswith("error: interrupted.")
    assert "Traceback" not in done.stderr
