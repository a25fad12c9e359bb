"""Shell completion offers stages, their options, and the options of the run wherever they may stand."""

import re
import shutil
import subprocess

import pytest

from kbtools.cli import main


@pytest.fixture
def complete(capsys, monkeypatch):
    """What bash would offer for the last of these words."""

    def offered(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_KBTOOLS_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit) as stopped:
            main([])
        assert stopped.value.code == 0
        return capsys.readouterr().out.split()

    return offered


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kbtools ap", ["plain,apply"]),
        ("kbtools apply fil", ["plain,filter"]),
        ("kbtools apply --dataset x fil", ["plain,filter"]),
        ("kbtools apply filter --nu", ["plain,--nulls"]),
        ("kbtools apply filter --where x --nulls ", ["plain,error", "plain,drop", "plain,keep"]),
        ("kbtools apply filter --where x --dr", ["plain,--dry-run", "plain,--dropped"]),
        ("kbtools apply filter --where x fil", ["plain,filter"]),
        ("kbtools apply filter --where x filter --nu", ["plain,--nulls"]),
        ("kbtools apply --dataset ", ["plain,sample", "file,"]),
        ("kbtools apply --dataset sam", ["plain,sample", "file,sam"]),
        ("kbtools apply judge --rubric diff", ["plain,difficulty", "plain,difficulty-score", "plain,difficulty-style"]),
        ("kbtools apply judge --rubric style@", ["plain,style@v1", "plain,style@v2"]),
        ("kbtools apply no-such-stage --nu", []),
        ("kbtools run ", ["file,"]),
        ("kbtools stages fil", ["plain,filter"]),
        ("kbtools prompts sh", ["plain,show"]),
        ("kbtools prompts show difficulty@", ["plain,difficulty@v1", "plain,difficulty@v2"]),
    ],
)
def test_what_bash_is_offered(complete, line, expected):
    """The last word is the one to be completed."""
    assert sorted(complete(line)) == sorted(expected)


def test_judges_are_offered(complete, install):
    """After --judge, those of every plugin."""
    source = "import kbtools as kb\nclass J(kb.Judge):\n    scope = 'row'\n    judge: str = 'zebra'\n"
    install("kb-zebra", source + "@kb.hookimpl\ndef register_judges():\n    return [J]\n")
    assert complete("kbtools apply judge --judge ze") == ["plain,zebra"]
    assert complete("kbtools judges ze") == ["plain,zebra"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"), [("kbtools apply --dataset sam", "sample"), ("kbtools apply fil", "filter")]
)
def test_every_shell_is_offered_the_same(shell, line, offered, capsys, monkeypatch):
    """By the protocol of its own completion."""
    words = line.split(" ")
    monkeypatch.setenv("_KBTOOLS_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words) - 1))
    with pytest.raises(SystemExit):
        main([])
    assert offered in re.split(r"[\s,]+", capsys.readouterr().out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_reads_its_script(shell, capsys, monkeypatch, tmp_path):
    """The script that the help speaks of is one of this shell."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    monkeypatch.setenv("_KBTOOLS_COMPLETE", f"{shell}_source")
    with pytest.raises(SystemExit):
        main([])
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    assert "kbtools" in script.read_text()
    done = subprocess.run([program, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
