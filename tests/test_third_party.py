"""Packages of others, installed with pip into an environment of their own, work like the built-in ones.

The environment sees the packages of the one that runs the tests, so that nothing has to be downloaded.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.rows import evals

ROOT = Path(__file__).parents[1]
PACKAGES = ROOT / "tests" / "third_party"

pytestmark = pytest.mark.slow


class Environment:
    """A virtual environment with plugins in it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=importlib.util.find_spec("pip") is None)
        scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python, self.kbtools = scripts / "python", scripts / "kbtools"
        (site,) = folder.rglob("site-packages")
        ours = sysconfig.get_path("purelib")
        (site / "zz_outer.pth").write_text(f"import site; site.addsitedir({ours!r})\n")

    def install(self, *words: object) -> None:
        """What `pip install` does with these words."""
        done = self.run(self.python, "-m", "pip", "install", "--quiet", *words)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A process in this environment, in which pip fetches nothing."""
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        kept |= {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # 0: no isolation
        kept["PATH"] = f"{self.python.parent}{os.pathsep}{kept['PATH']}"
        command = [str(word) for word in words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=cwd, env=kept)


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Environment:
    """kbtools, the two packages of tests/third_party, and two fresh ones from `kbtools new`."""
    folder = tmp_path_factory.mktemp("third-party")
    made = Environment(folder / "venv")
    made.install("-e", ROOT)
    assert made.run(made.kbtools, "new", "judge", "brevity", "--out", folder).returncode == 0
    assert made.run(made.kbtools, "new", "stage", "keep-short", "--out", folder).returncode == 0
    made.install(PACKAGES / "acme", PACKAGES / "broken")
    made.install("-e", folder / "kbtools-brevity", "-e", folder / "kbtools-keep-short")
    made.new_packages = (folder / "kbtools-brevity", folder / "kbtools-keep-short")
    return made


@pytest.fixture
def cli(environment, tmp_path):
    """Call the installed program."""
    evals([0.1, 0.5, 0.9]).to_json(tmp_path / "rows.jsonl")

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        return environment.run(environment.kbtools, *words, cwd=tmp_path)

    return call


def rows(path: Path) -> list[dict[str, object]]:
    """The rows of a jsonl file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_plugins_are_listed_with_what_they_offer(cli):
    """The broken one with its error and what its source would have offered."""
    found = {plugin["distribution"]: plugin for plugin in json.loads(cli("plugins", "--json").stdout)}
    assert found["kbtools-acme"]["stages"] == ["keep-short", "tag"]
    assert found["kbtools-acme"]["judges"] == ["acme-lines"]
    assert found["kbtools-acme"]["prompts"] == ["acme-review@v1", "acme-review@v2"]
    assert found["kbtools-acme"]["version"] == "1.2.0"
    assert found["kbtools-broken"]["error"] == "ModuleNotFoundError: No module named 'a_package_that_nobody_has'"
    assert found["kbtools-broken"]["would_have_offered"] == ["polish", "oracle"]
    assert found["kbtools"]["error"] is None


def test_stage_and_judge_in_a_chain_of_the_command_line(cli, tmp_path):
    """Beside the built-in stages, and with their distributions and versions in the lineage."""
    words = ("filter", "--where", "reward > 0.3", "tag", "--label", "x", "judge", "--judge", "acme-lines")
    done = cli("apply", *words, "--dataset", "rows.jsonl", "--out", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert [(row["tag"], row["lines"]) for row in rows(tmp_path / "out.jsonl")] == [("x", 3), ("x", 3)]
    lineage = json.loads((tmp_path / "out.jsonl.lineage.json").read_text())
    assert [(r["stage"], r["distribution"], r["version"]) for r in lineage["records"]][1:] == [
        ("tag", "kbtools-acme", "1.2.0"),
        ("judge", "kbtools-acme", "1.2.0"),
    ]


def test_recipe_and_lineage_with_third_party_stages(cli, tmp_path):
    """A recipe names them like any other, and the lineage repeats the run."""
    recipe = '[source]\ndataset = "rows.jsonl"\n[[stages]]\nstage = "tag"\nlabel = "y"\n'
    (tmp_path / "r.toml").write_text(recipe + '[[stages]]\nstage = "judge"\njudge = "acme-lines"\n')
    assert cli("run", "r.toml", "--out", "a.jsonl").returncode == 0
    assert cli("run", "a.jsonl.lineage.json", "--out", "b.jsonl").returncode == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert rows(tmp_path / "a.jsonl")[0]["tag"] == "y"


def test_from_python(environment, tmp_path):
    """The classes are attributes of kbtools, and `Judge(judge=...)` finds the judge."""
    evals([0.1, 0.5]).to_json(tmp_path / "rows.jsonl")
    code = (
        "import kbtools as kb\n"
        "out = kb.apply(kb.load('rows.jsonl'), kb.Tag(label='z') | kb.Filter(where='reward > 0.3'), "
        "kb.Judge(judge='acme-lines', prefix='a_'))\n"
        "print(out.num_rows, out[0]['tag'], out[0]['a_lines'], isinstance(kb.AcmeLines(), kb.Judge))\n"
    )
    done = environment.run(environment.python, "-c", code, cwd=tmp_path)
    assert done.stdout.splitlines()[-1:] == ["1 z 3 True"], done.stderr


def test_prompt_is_listed_compared_and_rendered(cli):
    """Like the built-in ones."""
    assert "+++ acme-review@v2" in cli("prompts", "diff", "acme-review@v1", "acme-review@v2").stdout
    shown = cli("prompts", "render", "kbtools-acme/acme-review@v1", "--dataset", "rows.jsonl", "--row", 1).stdout
    assert "Review the kernel for B." in shown


def test_what_the_broken_plugin_would_offer_is_an_error_that_names_it(cli):
    """Only for those who ask for it."""
    done = cli("apply", "polish", "--dataset", "rows.jsonl")
    assert done.returncode == 2
    assert "kbtools-broken would offer it, but failed to load: ModuleNotFoundError" in done.stderr


def test_name_that_two_packages_claim(cli, tmp_path):
    """The bare name is an error that names both, only when it is used; `distribution/name` always works."""
    done = cli("apply", "keep-short", "--dataset", "rows.jsonl")
    assert done.returncode == 2
    assert "write one of kbtools-acme/keep-short, kbtools-keep-short/keep-short" in done.stderr
    for name, kept in (("kbtools-acme/keep-short", 0), ("kbtools-keep-short/keep-short", 3)):
        done = cli("apply", name, "--dataset", "rows.jsonl", "--out", "kept.jsonl")
        assert done.returncode == 0, done.stderr
        assert len(rows(tmp_path / "kept.jsonl")) == kept
        assert json.loads((tmp_path / "kept.jsonl.lineage.json").read_text())["stages"][0]["stage"] == name
    assert "kbtools-acme/keep-short" in cli("stages").stdout


def test_help_of_a_third_party_stage(cli):
    """Its options come from its fields."""
    assert "--label TEXT" in cli("apply", "tag", "--help").stdout


@pytest.mark.parametrize("position", [0, 1], ids=["judge", "stage"])
def test_new_package_passes_its_own_tests(environment, position):
    """Right after `pip install -e`."""
    package = environment.new_packages[position]
    done = environment.run(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", package, cwd=package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout or "." in done.stdout


def test_new_judge_rates_rows(cli, tmp_path):
    """Its verdict's field is a column, and its options are on the command line."""
    words = ("judge", "--judge", "brevity", "--most-lines", "1")
    done = cli("apply", "--dataset", "rows.jsonl", "--out", "rated.jsonl", *words)
    assert done.returncode == 0, done.stderr
    assert [round(row["brevity_score"], 2) for row in rows(tmp_path / "rated.jsonl")] == [3.33] * 3


BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["plugins.md", "prompts.md"])
def test_page_does_what_it_says(environment, tmp_path, page):
    """Files are written, commands and programs run in their order, and what is printed is what stands below them."""
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text())
    assert len(blocks) > 3
    for language, title, text in blocks:
        if title:
            (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title).write_text(text)
        elif language == "python":
            (tmp_path / "example.py").write_text(text)
            done = environment.run(environment.python, "example.py", cwd=tmp_path)
            assert done.returncode == 0, done.stderr
        elif language == "console":
            follow(environment, text, tmp_path)


def follow(environment: Environment, text: str, folder: Path) -> None:
    """Run each command of a console block; every other line must occur in the output of the command above it."""
    printed = ""
    for line in text.splitlines():
        if line.startswith("$ "):
            done = environment.run("bash", "-c", line[2:], cwd=folder)
            printed = done.stdout + done.stderr
            assert done.returncode == 0, printed
        else:
            assert line in printed
