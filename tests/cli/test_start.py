"""Starting is cheap: help needs none of the libraries that the work needs."""

import json
import subprocess
import sys

import pytest

UNUSED = ("kbtools_plugins.verify", "kbtools_plugins.leaks", "kbtools_plugins.static", "kbtools.models", "kbtools.llm")
"""What a chain that only filters has no use for, beside the libraries below."""
HEAVY = {"pydantic", "datasets", "pyarrow", "polars", "torch", "triton", "transformers", "openai", "rich", "pluggy"}


def modules_of(*words: str) -> set[str]:
    """Modules that a call of the program leaves imported."""
    code = (
        "import json, sys\nfrom kbtools.cli import main\n"
        f"try:\n    main({list(words)!r})\n"
        "except SystemExit as stopped:\n    assert not stopped.code\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        timeout=60,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def loaded_by(*words: str) -> set[str]:
    """Top-level modules that a call of the program leaves imported."""
    return {name.partition(".")[0] for name in modules_of(*words)}


def test_the_interpreter_that_has_kbtools_runs_it():
    """`python -m kbtools`, where the path knows another one or none."""
    words = (sys.executable, "-m", "kbtools", "--version")
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.startswith("kbtools")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_nothing_heavy(option):
    """`kbtools --help` knows its commands without importing one."""
    assert loaded_by(option) & HEAVY == set()


@pytest.mark.parametrize("words", [("apply", "--help"), ("apply", "filter", "--help"), ("plugins",)], ids=" ".join)
def test_listing_stages_imports_no_data_library(words):
    """Stages are declared without the libraries that they run on."""
    assert loaded_by(*words) & (HEAVY - {"pydantic", "rich", "pluggy"}) == set()


def test_looking_at_rows_imports_nothing_that_asks_a_model_or_runs_a_chain(tmp_path):
    """Case 13 of ../shared/cases/outside: what `show` waits for is `datasets`, and nothing beside it."""
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "text": "a"}\n')
    needless = {"kbtools.models", "kbtools.judge", "kbtools.llm", "kbtools.pipeline.chain", "kbtools_plugins", "polars"}
    assert modules_of("show", str(tmp_path / "rows.jsonl")) & needless == set()


@pytest.mark.parametrize(
    "words",
    [("apply", "filter", "--where", "reward > 0.85", "--dataset", "sample", "--quiet", "--out"), ("show", "sample")],
    ids=["apply filter", "show"],
)
def test_a_chain_imports_its_own_stages_alone(words, tmp_path):
    """Neither verify nor the model engine nor torch: plugins name their classes, which are imported when used."""
    loaded = modules_of(*words, *([str(tmp_path / "out.parquet")] if words[-1] == "--out" else []))
    assert not {name for name in loaded if name.startswith(UNUSED)}
    assert not {"torch", "triton", "transformers", "openai", "vllm", "jinja2", "numba", "scipy"} & loaded
    assert ("kbtools_plugins.filter" in loaded) is (words[0] == "apply")


NAMED = """
import kbtools as kb

@kb.hookimpl
def register_stages():
    return [kb.Offer("polish", "a_module_that_nobody_has:Polish")]
"""


def test_a_named_class_that_fails_takes_nothing_else_down(cli, install, file):
    """It is an error where it is used and in the list of plugins, as a plugin that fails at once is."""
    install("kb-named", NAMED)
    fault = "failed to load: ModuleNotFoundError: No module named 'a_module_that_nobody_has'"
    used = cli("apply", "polish", "--dataset", file)
    assert used.code == 2
    assert f"there is no stage 'polish'. kb-named would offer it, but {fault}" in used.err
    listed = cli("plugins", "--json")
    (entry,) = (one for one in json.loads(listed.out) if one["distribution"] == "kb-named")
    assert (fault.endswith(entry["error"]), entry["would_have_offered"]) == (True, ["polish"])
    assert cli("apply", "sample", "--first", "1", "--dataset", file).code == 0
    assert cli("stages").code == 0
